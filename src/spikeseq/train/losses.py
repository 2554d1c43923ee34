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
    """Unit spikes per unit and time step: ``mean |h|``, averaged over the layers (of a quantised layer: ``mean |k/T|``)."""
    return torch.stack([_mean(s, s.output.abs()) for s in seen]).mean()


def activity(seen: list[Seen]) -> float:
    """What is sent for each unit and time step, averaged over the layers: unit spikes, of multi-bit values 1 for each."""
    multi_bit = [isinstance(s.module, Recurrent) and isinstance(s.module.kind, CurrentKind) for s in seen]
    sent = ((s.output != 0).to(s.output) if m else s.output.abs() for s, m in zip(seen, multi_bit, strict=True))
    return float(torch.stack([_mean(s, values) for s, values in zip(seen, sent, strict=True)]).mean())


def packet_excess(seen: list[Seen]) -> Tensor:
    """``mean(max(|h_t| - 1, 0))``: spikes beyond the first of a packet."""
    return torch.stack([_mean(s, (s.output.abs() - 1).clamp(min=0)) for s in seen]).mean()


def _mean(seen: Seen, values: Tensor) -> Tensor:
    """Mean of values ``[L, *lead, H]`` over the elements that are there; at padding they are 0."""
    if seen.mask is None:
        return values.mean()
    return values.mean() * (seen.mask.numel() / seen.mask.sum())
