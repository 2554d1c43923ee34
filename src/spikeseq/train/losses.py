"""Terms of the training loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from spikeseq.nn import Seen
from spikeseq.nn.current_kinds import CurrentKind
from spikeseq.nn.recurrent import Recurrent


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """``tau^2 KL(softmax(teacher / tau) || softmax(student / tau))``, mean over rows (Hinton et al. 2015, arXiv:1503.02531)."""
    log_student = F.log_softmax(student / temperature, -1)
    log_teacher = F.log_softmax(teacher / temperature, -1)
    return F.kl_div(log_student, log_teacher, log_target=True, reduction="batchmean") * temperature**2


def spike_rate(seen: list[Seen]) -> Tensor:
    """What is sent for each unit and time step, averaged over the layers.

    Unit spikes: ``mean |h|`` (of a quantised layer ``mean |k/T|``). Multi-bit values: the share that is not 0, with the
    gradient of ``mean |y| / M``: a sigma-delta output is 0 the longer, the less of its range a value takes.
    """
    return torch.stack([_mean(s, _sent(s)) for s in seen]).mean()


def activity(seen: list[Seen]) -> float:
    """The same as a plain number."""
    return spike_rate(seen).item()


def _sent(seen: Seen) -> Tensor:
    """What each output sends."""
    size, layer = seen.output.abs(), seen.module
    if not (isinstance(layer, Recurrent) and isinstance(layer.kind, CurrentKind)):
        return size
    # M is no way out: a smaller one makes no value rarer
    share = size / layer.kind.coder.reach(layer.values(seen.part)).detach()
    return (size != 0).to(size) + (share - share.detach())


def packet_excess(seen: list[Seen]) -> Tensor:
    """``mean(max(|h_t| - 1, 0))``: spikes beyond the first of a packet."""
    return torch.stack([_mean(s, (s.output.abs() - 1).clamp(min=0)) for s in seen]).mean()


def _mean(seen: Seen, values: Tensor) -> Tensor:
    """Mean of values ``[L, *lead, H]`` over the elements that are there; at padding they are 0."""
    if seen.mask is None:
        return values.mean()
    return values.mean() * (seen.mask.numel() / seen.mask.sum())
