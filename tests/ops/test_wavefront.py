"""Orders over the nodes: every node once, every dependency before its use, the promised number of cycles."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.errors import ConfigError
from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.hard_lstm import HardParams
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.cells.streams import StreamParams, StreamStep
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.wavefront import ORDERS, LayerWeights, cycles, run

sizes = st.tuples(st.integers(1, 7), st.sampled_from([1, 2, 4]), st.integers(1, 4))


@given(sizes, st.sampled_from(ORDERS))
def test_every_node_once_and_after_what_it_needs(size, order):
    seq_len, steps, layers = size
    done = set()
    for front in cycles(*size, order):
        assert front
        for n, t, l in front:
            for needed in ((n - 1, t, l), (n, t - 1, l), (n, t, l - 1)):
                assert 0 in needed or needed in done
        assert not done & set(front)
        assert len(set(front)) == len(front)
        done |= set(front)
    everything = {(n, t, l) for n in range(seq_len) for t in range(steps) for l in range(layers)}
    assert {(n - 1, t - 1, l - 1) for n, t, l in done} == everything


@given(sizes)
def test_number_of_cycles(size):
    seq_len, steps, layers = size
    assert len(list(cycles(*size, "wavefront"))) == seq_len + steps + layers - 2
    assert len(list(cycles(*size, "serial"))) == len(list(cycles(*size, "layer"))) == seq_len * steps * layers


@pytest.mark.parametrize(("size", "expected"), [((20, 1, 1), 20), ((20, 2, 2), 22), ((15, 4, 3), 20), ((40, 3, 2), 43)])
def test_cycles_of_the_design_study(size, expected):
    assert len(list(cycles(*size, "wavefront"))) == expected
    assert max(len(front) for front in cycles(*size, "wavefront")) == size[1] * size[2]


@given(sizes)
def test_the_wavefront_runs_a_node_in_cycle_n_plus_t_plus_l_minus_2(size):
    for cycle, front in enumerate(cycles(*size, "wavefront"), 1):
        assert all(n + t + l - 2 == cycle for n, t, l in front)


def test_layer_and_serial_nest_their_loops_as_named():
    assert [f[0] for f in cycles(2, 1, 2, "serial")] == [(1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 1, 2)]
    assert [f[0] for f in cycles(2, 1, 2, "layer")] == [(1, 1, 1), (2, 1, 1), (1, 1, 2), (2, 1, 2)]


@pytest.mark.parametrize(
    ("order", "remedy"),
    [("wavefrnt", "did you mean 'wavefront'"), ("Layers", "did you mean 'layer'"), ("xyz", "valid: ")],
)
def test_a_misspelt_order(order, remedy):
    with pytest.raises(ConfigError, match=f"order='{order}': .*{remedy}.*layer, serial, wavefront"):
        list(cycles(2, 2, 1, order))


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
