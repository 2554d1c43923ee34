r"""Counting rules of torch's own layers.

Per sequence element, H units, I inputs::

    LSTM       MACs 4 H (I + H) + 3 H      products f c, i g, o tanh(c); with proj_size P: 4 H (I + P) + 3 H + P H
    GRU        MACs 3 H (I + H) + 3 H      products r u, (1 - z) n, z h
    RNN        MACs H (I + H);  LSTMCell, GRUCell, RNNCell: the same for each call
    Linear     MACs O I;  of spikes (k / T, where the model has spiking layers of T time steps): ACs O sum |k|;
               behind a T-level quantised layer that does not spike: MACs of ceil(log2(T + 1)) bits;
               of the multi-bit values of a layer in the model: low MACs O nnz
    Conv       MACs (output values) (I / groups) K, borders included;  of spikes: ACs sum |k| (connections of that input)
    AvgPool    nothing: each spike of a window goes on to the sums of the layer behind; the divisor is in its weights, where an
               export has to put it if it is no power of two (the audit finds the product)
    Embedding  nothing but the row that is read;  attention: projections, q k, a v;  norms: 1 (batch) or 3 MACs a value

Functions (sigmoid, tanh, softmax) are not counted, in favour of the float networks. Memory is counted as by Lemaire et al.
(2022, arXiv:2210.13107): a dense product reads each input and weight once for each element (a convolution once for each MAC)
and keeps its sums in registers; a spike reads its row of weights, and reads and writes every accumulator it reaches.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.energy.counts import LayerCount
from spikeseq.energy.registry import ALONE, Call, Window, register

TIE = 1e-3  # how near a value must be to a level to be one: k unit is rounded to float32


def spike_counts(x: Tensor, time_steps: int = 1, window: Window = ALONE) -> Tensor | None:
    """Return ``|k|`` where ``x = k / T`` with ``|k| <= 2 T - 1`` (T = 1: binary or ternary); None for analog values.

    Spikes of a layer with T time steps, averaged over them, are such multiples; a packet holds at most 2 T - 1 spikes.
    ``window``: sums of so many of them, ``k / (T divisor)``, of which each spike is added where it goes.
    """
    k = x * (time_steps * window.divisor)
    whole = torch.round(k)
    # a mean of 25 or 49 is rounded; what was divided by nothing but T is whole to the bit
    near = k == whole if window.divisor == 1 else (k - whole).abs() < TIE
    return whole.abs() if bool((near & (whole.abs() <= (2 * time_steps - 1) * window.size)).all()) else None


def _arrivals(k: Tensor, call: Call) -> Tensor:
    """Events that bring ``k`` spikes: one packet for all time steps; without time steps each comes alone."""
    return k if call.time_steps == 1 else (k > 0).to(k.dtype)


def few_bits(time_steps: int) -> int:
    """Bits of a number from 0 to T: ``ceil(log2(T + 1))``."""
    return math.ceil(math.log2(time_steps + 1))


def dense_recurrent(gates: int, width: int, hidden: int, biases: int, projected: int = 0) -> dict[str, float]:
    """Operations of one element of a dense LSTM (4 gates; ``projected``: size of h if it is projected), GRU (3) or RNN (1)."""
    sent = projected or hidden
    weights = gates * hidden * (width + sent) + projected * hidden
    states = sent + (hidden if gates == 4 else 0)
    products = 3 * hidden if gates > 1 else 0
    return {
        "macs": weights + products, "elementwise": products, "weight_reads": weights + biases * hidden,
        "state_reads": width + states, "state_writes": states,
    }  # fmt: skip


def times(per_element: dict[str, float], elements: float) -> dict[str, Any]:
    """Operations of so many elements."""
    return {field: value * elements for field, value in per_element.items()}


@register(nn.LSTM, nn.GRU)
def fused(module: nn.LSTM | nn.GRU, call: Call) -> list[LayerCount]:
    """Each layer and direction of ``nn.LSTM`` or ``nn.GRU``; packed rows count their true length."""
    x = call.argument(0, "input")
    x = x.data if isinstance(x, PackedSequence) else x
    elements = float(x.shape[:-1].numel())
    lstm = isinstance(module, nn.LSTM)
    gates, biases = (4, 4) if lstm else (3, 4)  # the candidate's two biases of a GRU cannot be joined
    hidden, directions = module.hidden_size, 1 + module.bidirectional
    found = []
    for layer in range(module.num_layers):
        width = module.input_size if layer == 0 else (module.proj_size or hidden) * directions
        one = dense_recurrent(gates, width, hidden, biases if module.bias else 0, module.proj_size)
        made: dict[str, Any] = times(one, elements)
        made |= {"elements": elements, "recurrent": True, "weight_words": one["weight_reads"]}
        made["state_words"] = one["state_reads"]
        for suffix in ("", "_reverse")[:directions]:
            found.append(LayerCount(f"{call.name}.l{layer}{suffix}".lstrip("."), **made))
    return found


@register(nn.LSTMCell, nn.GRUCell, nn.RNNCell)
def cell(module: nn.RNNCellBase, call: Call) -> list[LayerCount]:
    """One element of each row; called along a sequence it costs what the fused layer costs."""
    rows = float(call.argument(0, "input").shape[:-1].numel())
    hidden = module.hidden_size
    gates = module.weight_hh.shape[0] // hidden
    one = dense_recurrent(gates, module.input_size, hidden, (4 if gates > 1 else 1) if module.bias else 0)
    words: dict[str, Any] = {"weight_words": one["weight_reads"], "state_words": one["state_reads"]}
    return [LayerCount(call.name, **times(one, rows), elements=rows, recurrent=True, **words)]


@register(nn.Linear)
def linear(module: nn.Linear, call: Call) -> list[LayerCount]:
    """MACs of analog inputs, ACs of spikes."""
    x, outputs = call.argument(0, "input"), float(module.out_features)
    rows = float(x.shape[:-1].numel())
    return [_product(call, x, outputs, rows, module)]


def _product(call: Call, x: Tensor, fan_out: float, rows: float, module: Any) -> LayerCount:
    """A product of ``x`` with weights that lead from each input value to ``fan_out`` outputs."""
    words = float(module.weight.numel())
    biases = 0.0 if module.bias is None else float(module.bias.numel())
    inputs, outputs = float(x.numel()), float(words / x.shape[-1])
    sizes: dict[str, Any] = {"elements": rows, "weight_words": words + biases, "state_words": inputs / rows + outputs}
    traffic: dict[str, Any] = {
        "weight_reads": rows * (words + biases),
        "state_reads": inputs,
        "state_writes": rows * outputs,
    }
    analog = LayerCount(call.name, macs=rows * words, **traffic, **sizes)
    k = spike_counts(x, call.time_steps, call.window)
    if k is None:
        return _multi_bit(call, x, fan_out, rows * biases, rows * outputs, analog) or analog
    if call.dense:
        bits = few_bits(call.time_steps)
        return replace(analog, low_macs=analog.macs, low_bits=analog.macs * bits, analog=analog)
    came = _arrivals(k, call)
    adds, events, sent = float((k * fan_out).sum()), float((came * fan_out).sum()), float(came.sum())
    return LayerCount(
        call.name, acs=adds, weight_reads=events + rows * biases, state_reads=events + sent,
        state_writes=events + rows * outputs, analog=analog, **_of_spikes(call, adds, events, sent), **sizes,
    )  # fmt: skip


def _of_spikes(call: Call, adds: float, events: float, sent: float) -> dict[str, Any]:
    """What the spikes of a layer before cost; nothing where the data sent them."""
    if call.first:
        return {}
    return {"spike_acs": adds, "spike_weight_reads": events, "spike_state_accesses": 2 * events + sent}


def _multi_bit(
    call: Call, x: Tensor, fan_out: float, biases: float, outputs: float, analog: LayerCount
) -> LayerCount | None:
    """The same product of multi-bit values, which costs what their non-zeros cost; None where ``x`` holds others."""
    rows = x.reshape(-1, x.shape[-1])
    coded = torch.zeros(rows.shape[1], dtype=torch.bool, device=x.device)
    for code in call.codes:
        k = rows / code.unit
        coded |= (((k - k.round()).abs() < TIE) & (k.abs() < code.largest + 0.5)).all(0)
    if not bool(coded.all()):
        return None
    sent = float((x != 0).sum())
    events = sent * fan_out
    return replace(
        analog, macs=events, low_macs=events, low_bits=events * max(code.bits for code in call.codes),
        weight_reads=events + biases, state_reads=events + sent, state_writes=events + outputs, spike_weight_reads=events,
        spike_state_accesses=2 * events + sent, analog=analog,
    )  # fmt: skip


@register(nn.Conv1d, nn.Conv2d)
def convolution(module: nn.Conv1d | nn.Conv2d, call: Call) -> list[LayerCount]:
    """MACs of analog inputs at every output value; ACs of spikes at the connections that are there."""
    x = call.argument(0, "input")
    single = x.dim() == module.weight.dim() - 1
    x, output = (x.unsqueeze(0), call.output.unsqueeze(0)) if single else (x, call.output)
    rows, words = float(x.shape[0]), float(module.weight.numel())
    biases = 0.0 if module.bias is None else float(module.out_channels)
    size = float(output[0].numel())
    sizes: dict[str, Any] = {
        "elements": rows, "weight_words": words + biases, "state_words": size + float(x[0].numel()),
    }  # fmt: skip
    macs = float(output.numel()) * words / module.out_channels
    biased = rows * size if biases else 0.0
    traffic: dict[str, Any] = {"weight_reads": macs + biased, "state_reads": macs, "state_writes": rows * size}
    analog = LayerCount(call.name, macs=macs, **traffic, **sizes)
    k = spike_counts(x, call.time_steps, call.window)
    if k is None:
        return [analog]
    came = _arrivals(k, call)
    adds, events, sent = _connections(module, k), _connections(module, came), float(came.sum())
    return [
        LayerCount(
            call.name, acs=adds, weight_reads=events + rows * biases, state_reads=events + sent,
            state_writes=events + rows * size, analog=analog, **_of_spikes(call, adds, events, sent), **sizes,
        )
    ]  # fmt: skip


def _connections(module: nn.Conv1d | nn.Conv2d, values: Tensor) -> float:
    """Sum of ``values`` over all connections: the convolution with weights of 1."""
    ones = torch.ones_like(module.weight, dtype=torch.float64)
    return float(module._conv_forward(values.double(), ones, None).sum())


@register(nn.Embedding)
def embedding(module: nn.Embedding, call: Call) -> list[LayerCount]:
    """Rows read and handed on; no arithmetic."""
    rows = float(call.argument(0, "input").numel())
    width = float(module.embedding_dim)
    return [
        LayerCount(
            call.name, weight_reads=rows * width, state_reads=rows, state_writes=rows * width, elements=rows,
            weight_words=float(module.weight.numel()), state_words=width,
        )
    ]  # fmt: skip


@register(nn.MultiheadAttention)
def attention(module: nn.MultiheadAttention, call: Call) -> list[LayerCount]:
    """Four projections, scores q k and their use a v, all dense; a mask saves nothing."""
    query, key = call.argument(0, "query"), call.argument(1, "key")
    rows, width = float(query.shape[:-1].numel()), float(module.embed_dim)
    axis = 1 if module.batch_first and query.dim() == 3 else 0
    queries, keys = float(query.shape[axis]), float(key.shape[axis])
    batch = rows / queries
    kdim, vdim = float(module.kdim or width), float(module.vdim or width)
    words = float(sum(p.numel() for p in module.parameters()))
    projections = rows * width * width * 2 + batch * keys * width * (kdim + vdim)
    scores = 2 * batch * queries * keys * width
    traffic = 2 * (2 * rows * width + 2 * batch * keys * width)
    return [
        LayerCount(
            call.name, macs=projections + scores, weight_reads=batch * words, state_reads=traffic, state_writes=traffic,
            elements=rows, weight_words=words, state_words=traffic / batch,
        )
    ]  # fmt: skip


@register(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
def norm(module: nn.Module, call: Call) -> list[LayerCount]:
    """Scale (and, where the statistics are those of the values, centre and square) each value; nothing is folded."""
    values = float(call.output.numel())
    each = 1 if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) else 3
    words = float(sum(p.numel() for p in module.parameters()))
    return [
        LayerCount(
            call.name, macs=each * values, elementwise=each * values, weight_reads=2 * values, state_reads=values,
            state_writes=values, elements=float(call.output.shape[0]), weight_words=words, state_words=values,
        )
    ]  # fmt: skip
