"""Single-element cells with the conventions of ``torch.nn.LSTMCell``; they share weights' names with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.nn.encoding import InputCode
from spikeseq.nn.encoding import input_encoding as input_encoding_of
from spikeseq.nn.kinds import GridKind, GRUKind, HardKind, Kind, LSTMKind, QuantizedKind, StreamKind
from spikeseq.nn.lstm import check_leak, check_shift
from spikeseq.nn.recurrent import Recurrent, keep_ranges
from spikeseq.nn.states import state_tensors
from spikeseq.shapes import check_max_packet, check_time_steps


class RecurrentCell(nn.Module):
    """One element of one layer: ``forward(x [B, I] or [I], state=None) -> (output, state)``, fields ``[B, ..]``.

    Parameters ``weight_ih, weight_hh, bias_ih, bias_hh`` as in ``nn.LSTMCell`` (gate order i, f, g, o) and the extra
    ones of the kind (``threshold``, ``clip``, ``leak``).
    """

    def __init__(
        self, kind: Kind, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        layer = Recurrent(kind, input_size, hidden_size, bias=bias, device=device, dtype=dtype)
        self.kind, self.input_size, self.hidden_size, self.bias = kind, input_size, hidden_size, bias
        for name, value in layer.part("l0").items():
            self.register_parameter(name, nn.Parameter(value.detach(), requires_grad=value.requires_grad))
        for name, measured in layer.named_buffers():
            self.register_buffer(name.removesuffix("_l0"), measured)
        # a layer of the same shape without memory, which runs with this cell's parameters; in a list: not a submodule
        self._shell = [Recurrent(kind, input_size, hidden_size, bias=bias, device="meta")]

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Advance one element; None means a zero state. Raises ShapeError when a shape does not fit."""
        single = x.dim() == 1
        layer = self._shell[0]
        rows = x.unsqueeze(0) if single else x
        if state is not None:
            state = tuple((s.unsqueeze(0) if single else s).unsqueeze(0) for s in state_tensors(state))
        layer.train(self.training)
        held: list[tuple[str, Tensor]] = [*self.named_parameters(), *self.named_buffers()]
        values = {f"{name}_l0": value for name, value in held}
        output, last = torch.func.functional_call(layer, values, (rows.unsqueeze(0), state))
        fields = (s.squeeze(0).squeeze(0) if single else s.squeeze(0) for s in last)
        return output[0, 0] if single else output[0], self.kind.state_type(*fields)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """Take the weights of a plain ``nn.LSTMCell``: ranges that it has not keep their present values."""
        keep_ranges(self, list(self.kind.extra(1)), state_dict, prefix)
        keep_ranges(self, list(self.kind.input_extra(1)), state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Sizes and the kind of cell."""
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}, {self.kind!r}"


class LSTMCell(RecurrentCell):
    """Float LSTM, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(LSTMKind(), input_size, hidden_size, bias, device, dtype)


class GRUCell(RecurrentCell):
    """Float GRU, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(GRUKind(), input_size, hidden_size, bias, device, dtype)


class HardLSTMCell(RecurrentCell):
    """Hard LSTM, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(HardKind(), input_size, hidden_size, bias, device, dtype)


class QuantizedLSTMCell(RecurrentCell):
    """T-level quantised LSTM, one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, time_steps: int = 2, shift: float = 0.5,
        input_encoding: InputCode = "direct", input_levels: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = QuantizedKind(check_time_steps(time_steps), check_shift(shift), encoding)
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class SpikingLSTMCell(RecurrentCell):
    """Spiking LSTM on the grid, all T time steps of one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, time_steps: int = 2,
        max_packet: int | None = None, shift: float = 0.5, input_encoding: InputCode = "direct",
        input_levels: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = GridKind(check_time_steps(time_steps), check_shift(shift), encoding, check_max_packet(max_packet))
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)


class StreamLSTMCell(RecurrentCell):
    """Per-t streams with IF or LIF gates, all T time steps of one element."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, time_steps: int = 2, leak: float = 1.0,
        shift: float = 0.5, input_encoding: InputCode = "direct", input_levels: int | None = None,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        encoding = input_encoding_of(input_encoding, input_levels)
        kind = StreamKind(check_time_steps(time_steps), check_shift(shift), encoding, leak=check_leak(leak))
        super().__init__(kind, input_size, hidden_size, bias, device, dtype)
        self.get_parameter("leak").requires_grad_(leak < 1)
