r"""From a GRU to the nearest gated current with T levels, in three steps, each with its error in the report.

::

    GRU          z, r = sigmoid(a_z), sigmoid(a_r);  n = tanh(a_n),  a_n = W_n x + b_in + r q,  q = U_n h + b_hn
                 h <- (1 - z) n + z h
    no reset     a_n -> W x + U h + b.  Without data r -> rho, that of an idle unit, sigmoid(b_r), folded into U_n and b_hn.
                 With data rho = sum r q^2 / sum q^2 for each unit, and then the regression of a_n on (x, h + noise, 1), which
                 stays near the folded weights where the data says nothing; noise: what y = k/T adds to h, variance 1 / (6 T^2)
    hard         z -> hs_V(a_z),  tanh -> clip(., -gam, gam);  V and gam fitted for each unit (calibrate.py)
    spiking      z -> Q_T(hs_V(a_z)), V fitted to the staircase;  h is sent as y = k/T, what is left over comes later

Exact: the update ``(1 - z) c + z h`` is the GRU's own, with the same z. Approximate: everything above. Without a reset gate
a unit cannot hide the past from its candidate: a GRU that makes much use of r loses most in the first step, and
training has to bring it back (``train.start_from``). h of the GRU lies in [-1, 1], and so does that of the network.

Source: this project; the GRU is that of Cho et al. (2014), arXiv:1406.1078, as in ``torch.nn.GRU``.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikeseq.conversion.calibrate import Rows, fit_clips, fit_thresholds, input_range, sampled
from spikeseq.conversion.config import ConvertConfig
from spikeseq.conversion.report import LayerReport, PartReport
from spikeseq.conversion.rules import (
    Context,
    fit_input,
    fits,
    freeze_like,
    input_options,
    like,
    register,
    span,
    stage_errors,
)
from spikeseq.errors import ConversionError
from spikeseq.nn.gated_current import HardGatedCurrent, SpikingGatedCurrent
from spikeseq.nn.lstm import GRU
from spikeseq.nn.recurrent import Recurrent

RIDGE = 1e-2  # of the mean square of what is known
TINY = 1e-30


@register(nn.GRU)
def convert_gru(layer: nn.GRU, context: Context) -> tuple[nn.Module, LayerReport]:
    """Float -> without reset gate -> hard -> T levels; the state stays one tensor h, as of ``nn.GRU``."""
    source = like(GRU, layer)
    source.load_state_dict(layer.state_dict())
    freeze_like(source, layer)
    return _convert(source, context, "nn.GRU", gru_state=True)


@register(GRU)
def convert_own_gru(layer: GRU, context: Context) -> tuple[nn.Module, LayerReport]:
    """As ``nn.GRU``."""
    return _convert(layer, context, "GRU", gru_state=False)


@register(HardGatedCurrent)
def convert_hard_gated(layer: HardGatedCurrent, context: Context) -> tuple[nn.Module, LayerReport]:
    """Hard -> T levels; trained ranges and normalisation are kept."""
    _check(context)
    stages: dict[str, Recurrent] = {}
    if context.config.stage != "hard":
        kind: Any = layer.kind
        options = {
            "variant": kind.variant, "candidate": "signed" if kind.signed else "relu", "gru_state": kind.gru_state,
            "batch_norm": kind.batch_norm, "recurrent_dropout": kind.recurrent_dropout,
        }  # fmt: skip
        made = like(SpikingGatedCurrent, layer, **options, **_levels(context.config))
        made.load_state_dict({**made.state_dict(), **layer.state_dict()})
        freeze_like(made, layer)
        _fit_input(made, context)
        stages["spiking"] = made
    return _result(layer, stages, context, "HardGatedCurrent", {})


class Candidate(NamedTuple):
    """Weights of a candidate without reset gate."""

    w: Tensor  # [H, I]
    u: Tensor  # [H, H]
    b: Tensor  # [H]


def _convert(source: GRU, context: Context, label: str, gru_state: bool) -> tuple[nn.Module, LayerReport]:
    _check(context)
    config = context.config
    rows = sampled(source, context.calls, config.samples)
    noise = 0.0 if config.stage == "hard" else 1 / (6 * config.time_steps**2)
    used = rows if fits(config) else {}
    folded = {part: _candidate(source, part, used.get(part), noise) for part, _ in source._parts()}
    stages: dict[str, Recurrent] = {"no reset": _without_reset(source, folded)}
    options = {"candidate": "signed", "batch_norm": False, "gru_state": gru_state}
    stages["hard"] = _gated(like(HardGatedCurrent, source, **options), source, folded, used)
    if config.stage != "hard":
        made = like(SpikingGatedCurrent, source, **options, **_levels(config))
        stages["spiking"] = _gated(made, source, folded, used, config.time_steps, config.level_shift)
        _fit_input(made, context)
    return _result(source, stages, context, label, {part: r.a for part, r in rows.items()})


def _fit_input(layer: Recurrent, context: Context) -> None:
    if context.calls:
        fit_input(layer, input_range(context.calls, layer.batch_first))


def _levels(config: ConvertConfig) -> dict[str, Any]:
    return {"time_steps": config.time_steps, "shift": config.level_shift, **input_options(config)}


def _check(context: Context) -> None:
    """Raise ConversionError for settings that a gated current has no form of."""
    config, name = context.config, context.name or "model"
    if config.scheme != "grid":
        raise ConversionError(f'module {name!r}: a gated current has no streams; pass scheme="grid"')
    if config.max_packet is not None and config.max_packet < config.time_steps:
        raise ConversionError(
            f"module {name!r}: a gated current sends packets of up to time_steps={config.time_steps} spikes, max_packet="
            f"{config.max_packet} would clip them; leave it out, or pass time_steps=1"
        )


@torch.no_grad()
def _candidate(source: GRU, part: str, rows: Rows | None, noise: float) -> Candidate:
    """What stands for the candidate and its reset gate; ``noise``: variance of y around h."""
    gru, hidden = source.part(part), source.hidden_size
    w, u = gru["weight_ih"][2 * hidden :], gru["weight_hh"][2 * hidden :]
    b_i, b_h = (gru[f"bias_{k}"] if source.bias else w.new_zeros(3 * hidden) for k in ("ih", "hh"))
    rho = torch.sigmoid(b_i + b_h)[:hidden]
    if rows is not None:
        _, a_r, _, q = rows.a.chunk(4, -1)
        total = q.square().sum(0)
        rho = torch.where(total > 0, (torch.sigmoid(a_r) * q.square()).sum(0) / total.clamp(min=TINY), rho)
    made = Candidate(w, rho[:, None] * u, b_i[2 * hidden :] + rho * b_h[2 * hidden :])
    return made if rows is None else _regressed(made, rows, noise, source.bias)


def _regressed(start: Candidate, rows: Rows, noise: float, bias: bool) -> Candidate:
    """Regression of the candidate's true preactivation, drawn towards ``start``; float64."""
    a_n, a_r, _, q = rows.a.double().chunk(4, -1)
    ones = a_n.new_ones(len(a_n), 1) if bias else a_n.new_zeros(len(a_n), 1)
    known = torch.cat([rows.x.double(), rows.h.double(), ones], 1)  # [N, I + H + 1]
    before = torch.cat([start.w, start.u, start.b[:, None]], 1).double()
    sizes = [start.w.shape[1], start.u.shape[1], 1]
    square = known.t() @ known
    pull = RIDGE * float(square.diagonal().mean()) + TINY
    square.diagonal().add_(pull)
    square.diagonal()[sizes[0] : -1].add_(noise * len(known))
    after = torch.linalg.solve(square, known.t() @ (a_n + torch.sigmoid(a_r) * q) + pull * before.t())
    w, u, b = (v.to(start.w) for v in after.t().split(sizes, 1))
    return Candidate(w, u, b.squeeze(1))


@torch.no_grad()
def _without_reset(source: GRU, folded: dict[str, Candidate]) -> GRU:
    """The GRU with r = 1/2 everywhere, and twice the folded recurrent weights."""
    made, hidden = copy.deepcopy(source), source.hidden_size
    for part, candidate in folded.items():
        values = made.part(part)
        for value in values.values():
            value[:hidden] = 0
        values["weight_ih"][2 * hidden :] = candidate.w
        values["weight_hh"][2 * hidden :] = 2 * candidate.u
        if source.bias:
            values["bias_ih"][2 * hidden :] = candidate.b
            values["bias_hh"][2 * hidden :] = 0
    return made


@torch.no_grad()
def _gated(
    layer: Any,
    source: GRU,
    folded: dict[str, Candidate],
    rows: dict[str, Rows],
    levels: int | None = None,
    shift: float = 0.5,
) -> Recurrent:
    """Fill a gated current with the folded weights and, where preactivations are given, with ranges fitted to them."""
    freeze_like(layer, source)
    for part, candidate in folded.items():
        own, gru = layer.part(part), source.part(part)
        own["weight_ih"].copy_(torch.cat([gru["weight_ih"].chunk(3)[1], candidate.w]))
        own["weight_hh"].copy_(torch.cat([gru["weight_hh"].chunk(3)[1], candidate.u]))
        if layer.bias:
            own["bias_ih"].copy_(torch.cat([(gru["bias_ih"] + gru["bias_hh"]).chunk(3)[1], candidate.b]))
        if part in rows:
            a_n, a_r, a_z, q = rows[part].a.chunk(4, -1)
            own["threshold"].copy_(fit_thresholds(a_z, torch.sigmoid, levels, shift))
            own["clip"].copy_(fit_clips(a_n + torch.sigmoid(a_r) * q).clamp(max=1))
    return layer


def _result(
    source: Recurrent, stages: dict[str, Recurrent], context: Context, label: str, a: dict[str, Tensor]
) -> tuple[nn.Module, LayerReport]:
    result = list(stages.values())[-1] if stages else source
    spiking, analog = (("z", "h"), ("c",)) if isinstance(result, SpikingGatedCurrent) else ((), ("z", "c", "h"))
    parts = tuple(_part(result, part, rows) for part, rows in a.items())
    errors = stage_errors(source, stages, context.calls)
    return result, LayerReport(context.name, label, type(result).__name__, spiking, analog, parts, errors)


def _part(layer: Recurrent, part: str, a: Tensor) -> PartReport:
    a_n, a_r, a_z, q = a.chunk(4, -1)
    values = layer.part(part)
    threshold, clip = values["threshold"].detach(), values["clip"].detach()
    clipped = {
        "z": float((a_z.abs() > threshold / 2).float().mean()),
        "c": float(((a_n + torch.sigmoid(a_r) * q).abs() > clip).float().mean()),
    }
    return PartReport(part, {"z": span(threshold)}, span(clip), clipped)
