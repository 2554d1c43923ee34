r"""Calibration: what a layer really sees, and the ranges that fit it best.

For each channel, over the sampled preactivations a::

    V    = argmin_V  mean (sigma(a) - Q(hs_V(a)))^2        over a grid of candidates; Q: identity, or T levels
    gam  = argmin_g  mean (tanh(a) - clip(a, -g, g))^2

sigma is the source's gate: the sigmoid of a float LSTM, the clipped line of a hard one (then V stays what it was: with
the optimal shift every switch already lies midway between its two levels, which no other V improves).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import DataError, ShapeError, SpikeseqError
from spikeseq.nn.observe import observing
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.reference import preactivation
from spikeseq.ops.spike import hard_gate
from spikeseq.shapes import spaced

THRESHOLDS = torch.linspace(1.0, 10.0, 91)  # candidates for V, unit of a
CLIPS = torch.linspace(0.1, 2.0, 96)  # candidates for gam


class Call(NamedTuple):
    """One call of a layer during calibration."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def batches(calibration: Iterable[Any]) -> Iterator[Any]:
    """Yield input batches from batches or (input, target) pairs. Raises DataError for NaN or an empty iterable."""
    index = -1
    for index, batch in enumerate(calibration):
        x = batch[0] if isinstance(batch, list | tuple) and not isinstance(batch, PackedSequence) else batch
        values = x.data if isinstance(x, PackedSequence) else x
        if isinstance(values, Tensor) and values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise DataError(f"calibration batch {index} holds NaN or infinity; clean the data before converting")
        yield x
    if index < 0:
        raise DataError("calibration is empty; pass at least one batch of inputs")


def capture(model: nn.Module, layers: dict[str, nn.Module], calibration: Iterable[Any]) -> dict[str, list[Call]]:
    """Run the model over the calibration data and keep what each of ``layers`` was called with.

    Raises DataError or ShapeError naming the batch and the module that does not accept it.
    """
    calls: dict[str, list[Call]] = {name: [] for name in layers}
    hooks = []
    for name, layer in layers.items():

        def keep(module: nn.Module, args: Any, kwargs: Any, name: str = name) -> None:
            _check_features(name, module, args[0] if args else kwargs.get("input", kwargs.get("x")))
            calls[name].append(Call(args, kwargs))

        hooks.append(layer.register_forward_pre_hook(keep, with_kwargs=True))
    try:
        with torch.no_grad():
            for index, x in enumerate(batches(calibration)):
                _call(model, x, index)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _call(model: nn.Module, x: Any, index: int) -> None:
    try:
        model(x)
    except SpikeseqError as error:
        raise type(error)(f"calibration batch {index}: {error}") from error
    except (RuntimeError, ValueError, TypeError) as error:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise DataError(
            f"calibration batch {index} ({shape}): the model does not accept it ({error}); "
            "pass batches as the model's forward() takes them"
        ) from error


def _check_features(name: str, module: nn.Module, x: Any) -> None:
    data = x.data if isinstance(x, PackedSequence) else x
    size = getattr(module, "input_size", None)
    if isinstance(data, Tensor) and size is not None and data.shape[-1] != size:
        raise ShapeError(
            f"module {name or 'model'!r} gets {data.shape[-1]} features, it takes input_size={size}; check the data"
        )


class Rows(NamedTuple):
    """What one layer and direction computed with, sampled over elements and rows of the batch."""

    x: Tensor  # [N, I] input
    h: Tensor  # [N, H] transmitted at the element before
    a: Tensor  # [N, G] preactivation


def sampled(layer: Recurrent, calls: list[Call], samples: int) -> dict[str, Rows]:
    """Rows of each part ("l0", "l0_reverse", ..) over the calls, padding left out, N <= samples."""
    found: dict[str, list[Rows]] = {}
    share = max(1, samples // max(1, len(calls)))
    for args, kwargs in calls:
        with torch.no_grad(), observing() as seen:
            layer(*args, **kwargs)
        for s in seen:
            earlier = torch.cat([s.first.unsqueeze(0), s.output[:-1]])
            with torch.no_grad():
                projection, recurrent = layer.kind.projection(s.x, layer.part(s.part))
                drive = torch.nn.functional.linear(s.x, projection.weight, projection.bias)
                values = Rows(s.x, earlier, preactivation(drive, earlier @ recurrent.t()))
            there = (v[s.mask.squeeze(-1)] if s.mask is not None else v.reshape(-1, v.shape[-1]) for v in values)
            rows = Rows(*there)
            pick = spaced(len(rows.a), share)
            found.setdefault(s.part, []).append(Rows(*(v[pick] for v in rows)))
    return {part: Rows(*(torch.cat(v) for v in zip(*rows, strict=True))) for part, rows in found.items()}


def preactivations(layer: Recurrent, calls: list[Call], samples: int) -> dict[str, Tensor]:
    """Preactivations ``[N, G]`` alone."""
    return {part: rows.a for part, rows in sampled(layer, calls, samples).items()}


def input_range(calls: list[Call], batch_first: bool) -> Tensor:
    """Largest magnitude of each input feature ``[I]`` over the calls; padding behind ``lengths`` is left out."""
    largest = []
    for args, kwargs in calls:
        x: Any = args[0] if args else kwargs.get("input", kwargs.get("x"))
        lengths = args[2] if len(args) > 2 else kwargs.get("lengths")
        rows: Tensor = x.data if isinstance(x, PackedSequence) else x
        if lengths is not None:
            one = rows.dim() == 2
            time_first = rows.unsqueeze(1) if one else rows.transpose(0, 1) if batch_first else rows
            valid = torch.arange(time_first.shape[0])[:, None] < torch.as_tensor(lengths).cpu()
            rows = time_first[valid.to(rows.device)]
        largest.append(rows.abs().reshape(-1, rows.shape[-1]).amax(0))
    return torch.stack(largest).amax(0)


def fit_thresholds(a: Tensor, gate: Callable[[Tensor], Tensor], levels: int | None, shift: float = 0.5) -> Tensor:
    """V of each channel ``[H]`` for preactivations ``a [N, H]``: of the line (``levels`` None) or staircase nearest to gate."""
    return _best(a, gate(a), THRESHOLDS, lambda a, v: hard_gate(a, v, levels, shift))


def fit_clips(a: Tensor) -> Tensor:
    """``gam`` of each channel ``[H]`` for preactivations ``a [N, H]`` of a tanh."""
    return _best(a, torch.tanh(a), CLIPS, lambda a, g: a.clamp(-g, g))


def _best(a: Tensor, target: Tensor, candidates: Tensor, form: Callable[[Tensor, float], Tensor]) -> Tensor:
    """The candidate with the least squared error for each channel; the first of equals in the middle of the list."""
    candidates = candidates.to(a)
    errors = torch.stack([(form(a, float(c)) - target).square().mean(0) for c in candidates])  # [C, H]
    best = errors.min(0).values
    good = errors <= best + 1e-9
    position = torch.arange(len(candidates), device=a.device)[:, None].expand_as(good)
    middle = (position * good).sum(0) // good.sum(0)
    return candidates[middle]
