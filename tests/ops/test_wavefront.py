"""Nodes in every order compute what a plain scan of each layer computes."""

import pytest
import torch

from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.hard_lstm import HardParams
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.cells.streams import StreamParams, StreamStep
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.schedule import ORDERS
from spikeseq.ops.wavefront import LayerWeights, run


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["grid1", "grid4", "grid4 strict", "streams2", "streams4"])
def test_nodes_compute_what_a_scan_of_each_layer_computes(order, kind):
    """Dyadic numbers: sums are exact, so the plain loop and the nodes agree bit for bit, initial state included."""
    torch.manual_seed(3)
    steps, seq_len, batch, width = int(kind.removesuffix(" strict")[-1]), 4, 2, 3

    def dyadic(*shape, scale=4):
        return torch.randint(-8, 9, shape).double() / scale

    params = HardParams(torch.full((3, 1, width), 2.0).double(), torch.ones(1, width).double())
    if kind.startswith("streams"):
        step, params = StreamStep(steps), StreamParams(*params, torch.full((3, 1, width), 0.5).double())
    else:
        step = GridStep(steps, max_packet=1 if "strict" in kind else None)
    layers = [LayerWeights(dyadic(12, k), dyadic(12), dyadic(12, width), params) for k in (5, 3)]
    x = dyadic(seq_len, batch, 5)
    states = [LSTMState(dyadic(steps, batch, width, scale=8).round(), dyadic(steps, batch, width)) for _ in layers]
    result = run(step, layers, x, states, order)
    signal = x.unsqueeze(1)
    for l, layer in enumerate(layers):
        drive = torch.nn.functional.linear(signal, layer.input_weight, layer.bias)
        signal, last = scan_reference(step, drive, layer.recurrent_weight, states[l], params)
        assert torch.equal(result.spikes[l], signal)
        assert torch.equal(result.states[l].c, last.c)
        assert torch.equal(result.states[l].h, last.h)
    assert signal.abs().sum() > 0
