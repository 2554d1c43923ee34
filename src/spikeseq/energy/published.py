r"""Multiplications as the authors of the gated current counted them, beside the corrected count.

Per element, g = 4 (LSTM) or 3 (GRU), O outputs of the readout, ``next`` = g H, 2 H or H of the layer above, O of the last one::

    LSTM, GRU      nnz(x) g H + sum_l [ g H^2 + 12 H + nnz(h_l) next ]
    v1, v2         nnz(y_0) 2 H + sum_l [ nnz(y_l) next + nnz(y_(l-1)) 2 H + 8 H ]          y_0: the (coded) input
    conventional   nnz(y_0) H + sum_l [ nnz(y_l) next + 6 H ]

    corrected v2   the second term with nnz(y_l), what U really multiplies;   corrected v1: without it, it has no U

The published form charges the recurrent product of v2 with the non-zeros of the layer's *input*, and v1 with a product that
it has not. ``energy.count`` counts the corrected way (and other element-wise work; currents.py).
Source: the released code of Ponghiran & Roy (2022), arXiv:2109.01905.
"""

from __future__ import annotations

from collections.abc import Sequence

from spikeseq.errors import ConfigError, nearest

GATES = {"lstm": 4, "gru": 3, "v1": 2, "v2": 2, "conventional": 1}
ELEMENTWISE = {"lstm": 12, "gru": 12, "v1": 8, "v2": 8, "conventional": 6}


def published_multiplications(cell: str, hidden: int, active: Sequence[float], outputs: int) -> float:
    """Published count for one element.

    cell     "lstm", "gru", "v1", "v2" or "conventional"
    active   mean non-zeros of an element: of the (coded) input, then of each layer's output
    outputs  O of the readout, 0 for none
    """
    return _count(cell, hidden, active, outputs, [hidden] * len(active) if cell in ("lstm", "gru") else active[:-1])


def corrected_multiplications(cell: str, hidden: int, active: Sequence[float], outputs: int) -> float:
    """The same with what each recurrent product really multiplies; arguments as there."""
    recurrent = {"lstm": [hidden] * len(active), "gru": [hidden] * len(active), "v2": active[1:]}
    return _count(cell, hidden, active, outputs, recurrent.get(cell, [0.0] * len(active)))


def _count(cell: str, hidden: int, active: Sequence[float], outputs: int, recurrent: Sequence[float]) -> float:
    """``recurrent``: values that the recurrent product of each layer is charged with."""
    if cell not in GATES:
        raise ConfigError(f"cell={cell!r}: {nearest(str(cell), GATES)}")
    if len(active) < 2:
        raise ConfigError(f"active={list(active)!r}: pass the non-zeros of the input and of each layer")
    rows, layers = GATES[cell] * hidden, len(active) - 1
    total = active[0] * rows
    for layer in range(1, layers + 1):
        total += active[layer] * (rows if layer < layers else outputs) + ELEMENTWISE[cell] * hidden
        total += 0.0 if cell == "conventional" else recurrent[layer - 1] * rows
    return float(total)
