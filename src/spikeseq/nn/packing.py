"""PackedSequence to padded and back, in the caller's order of rows."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def unpack(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """Return the padded sequence ``[L, B, I]`` in the original order of rows, and the lengths ``[B]``."""
    padded, lengths = pad_packed_sequence(packed)
    return padded, lengths


def pack_like(padded: Tensor, packed: PackedSequence) -> PackedSequence:
    """Pack ``padded [L, B, H]`` as ``packed`` is packed: same order, same indices."""
    order, lengths = packed.sorted_indices, pad_packed_sequence(packed)[1]
    if order is not None:
        padded, lengths = padded.index_select(1, order), lengths.index_select(0, order.cpu())
    again = pack_padded_sequence(padded, lengths)
    return PackedSequence(again.data, again.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
