"""Grid: by hand, node by node in plain Python, and theorem 2: equal to the quantised LSTM on dyadic numbers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeseq.ops.cells.grid import GridStep, coasts
from spikeseq.ops.cells.hard_lstm import HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.scan import scan


def double(x):
    return torch.tensor(x, dtype=torch.float64)


def clip(x, low, high):
    return max(low, min(high, x))


def rounded(u):
    return math.copysign(math.floor(abs(u) + 0.5), u)


def plain_grid(x, w, u, b, v, gam, steps, limit=None):
    """One unit: gate weights ``w, u, b`` (i, f, g, o) -> spikes[n][t] and cells[n][t]."""
    h, c, spikes, cells = [0.0] * steps, [0.0] * steps, [], []
    for value in x:
        membrane, emitted, y = [0.0] * 4, 0.0, 0.0
        for t in range(1, steps + 1):
            for k in range(4):
                membrane[k] += w[k] * value + b[k] + u[k] * h[t - 1]
            if t in (1, 2, 4, 8, 16):  # the other replicas coast: they repeat the last y
                # the counts of DESIGN 2.2: K = clip(floor(T A / (t V) + T/2 + 1/2), 0, T)
                k_i, k_f, k_o = (
                    clip(math.floor(steps * membrane[k] / (t * v) + steps / 2 + 0.5), 0, steps) for k in (0, 1, 3)
                )
                g = clip(membrane[2] / t, -gam, gam)
                c[t - 1] = (k_f * c[t - 1] + k_i * g) / steps
                y = k_o * clip(c[t - 1], -1, 1) / steps
            r = rounded(t * y) - emitted
            h[t - 1] = r if limit is None else clip(r, -limit, limit)
            emitted += h[t - 1]
        spikes.append(list(h))
        cells.append(list(c))
    return spikes, cells


def plain_quantised(x, w, u, b, v, gam, steps):
    """One unit: outputs h[n] and cell states c[n]."""
    h, c, outputs, cells = 0.0, 0.0, [], []
    for value in x:
        a = [w[k] * value + b[k] + u[k] * h for k in range(4)]
        i, f, o = (clip(math.floor(steps * clip(a[k] / v + 0.5, 0, 1) + 0.5), 0, steps) / steps for k in (0, 1, 3))
        c = f * c + i * clip(a[2], -gam, gam)
        h = rounded(steps * o * clip(c, -1, 1)) / steps
        outputs.append(h)
        cells.append(c)
    return outputs, cells


def engine(step, x, w, u, b, v, gam):
    """The same unit through the engine: ``[L, (T), 1, 1] -> [L, (T)]``."""
    steps = step.time_steps
    lead = (steps, 1, 1) if isinstance(step, GridStep) else (1, 1)
    drive = double(x).view(-1, 1, 1) * double(w) + double(b)
    drive = drive.view(len(x), *(1,) * (len(lead) - 1), 4)
    params = HardParams(torch.full((3, 1, 1), v).double(), double([[gam]]))
    state = LSTMState(torch.zeros(lead).double(), torch.zeros(lead).double())
    output, last = scan(step, drive, double(u).view(4, 1), state, params)
    return output.squeeze(-1).squeeze(-1), last


BY_HAND = {"x": [1.0, -1.0], "w": [2.0, 0.0, 0.75, 1.0], "u": [0.0, 2.0, -0.5, 1.0], "b": [0.0, 2.0, 0.0, 1.0]}


def test_two_elements_of_one_unit_by_hand():
    """T = 2, V = 4, gam = 1.

    Quantised, n = 1: a = (2, 2, .75, 2), i = f = o = Q(1) = 1, g = .75, c = .75, T y = 1.5 -> 2, h = 1.
    n = 2: a = (-2, 2 + 2, -.75 - .5, -1 + 1 + 1), i = Q(0) = 0, f = 1, o = Q(.75) = 1 (1.5 + .5 = 2 levels),
    g = -1, c = .75, T y = 1.5 -> 2, h = 1.
    Grid, n = 1: both replicas have c = .75; t = 1: R(.75) = 1 spike; t = 2: R(1.5) - 1 = 1 spike.
    n = 2: the same currents in both steps; c = .75 in both; spikes 1, 1 again.
    """
    output, last = engine(QuantizedLSTMStep(2), **BY_HAND, v=4.0, gam=1.0)
    assert output.tolist() == [1.0, 1.0]
    assert last.c.item() == 0.75
    output, last = engine(GridStep(2), **BY_HAND, v=4.0, gam=1.0)
    assert output.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert last.c.flatten().tolist() == [0.75, 0.75]


def test_a_packet_by_hand():
    """T = 2, V = 4, gam = 1; i and o open, f closed, so c = g: replica 1 says -1 where 2 are due: 2 sends 3.

    n = 1: a_g = .5 in both replicas: R(.5) = 1 spike, then R(1) - 1 = 0.
    n = 2: I_g = 3 - 4 h: t = 1: A_g = -1, R(-1) = -1;  t = 2: A_g = -1 + 3 = 2, A_g / 2 = 1, R(2) + 1 = 3.
    Quantised: h = .5, then a_g = 3 - 2 = 1, h = 1 = (-1 + 3) / 2.
    """
    unit = {"x": [1.0, 6.0], "w": [0.0, 0.0, 0.5, 0.0], "u": [0.0, 0.0, -4.0, 0.0], "b": [8.0, -8.0, 0.0, 8.0]}
    assert engine(GridStep(2), **unit, v=4.0, gam=1.0)[0].tolist() == [[1.0, 0.0], [-1.0, 3.0]]
    assert engine(GridStep(2, max_packet=1), **unit, v=4.0, gam=1.0)[0].tolist() == [[1.0, 0.0], [-1.0, 1.0]]
    assert engine(QuantizedLSTMStep(2), **unit, v=4.0, gam=1.0)[0].tolist() == [0.5, 1.0]


units = st.fixed_dictionaries(
    {
        "x": st.lists(st.integers(-4, 4).map(lambda k: k / 2), min_size=1, max_size=6),
        **{n: st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=4, max_size=4) for n in ("w", "u", "b")},
    }
)


@settings(max_examples=40)
@given(units, st.sampled_from([1, 2, 4, 8]), st.sampled_from([None, 1, 2]), st.sampled_from([1.0, 4.0]))
def test_against_plain_python(unit, steps, limit, v):
    spikes, cells = plain_grid(**unit, v=v, gam=1.0, steps=steps, limit=limit)
    output, last = engine(GridStep(steps, max_packet=limit), **unit, v=v, gam=1.0)
    assert output.tolist() == spikes
    assert last.c.flatten().tolist() == cells[-1]


@settings(max_examples=40)
@given(units, st.sampled_from([1, 2, 4, 8]), st.sampled_from([1.0, 4.0]))
def test_theorem_2_in_plain_python(unit, steps, v):
    """The theorem itself, without any of the package's equations, and the engine on the quantised side."""
    spikes, cells = plain_grid(**unit, v=v, gam=1.0, steps=steps)
    outputs, last = plain_quantised(**unit, v=v, gam=1.0, steps=steps)
    assert [sum(s) / steps for s in spikes] == outputs
    assert [c[-1] for c in cells] == last
    assert engine(QuantizedLSTMStep(steps), **unit, v=v, gam=1.0)[0].tolist() == outputs


def network(seed, batch, width):
    """Two layers on dyadic numbers: sums and products below are exact in float64."""
    torch.manual_seed(seed)

    def dyadic(*shape, scale):
        return torch.randint(-8, 9, shape).double() / scale

    params = HardParams(
        torch.tensor([1.0, 2.0, 4.0]).double()[torch.randint(3, (3, 1, width))], torch.ones(1, width).double()
    )
    layers = [
        (dyadic(4 * width, k, scale=8), dyadic(4 * width, scale=8), dyadic(4 * width, width, scale=8))
        for k in (3, width)
    ]
    return layers, params, dyadic(6, batch, 3, scale=4)


def run(step, layers, params, signal):
    """Layer by layer: signals and last states."""
    spiking = isinstance(step, GridStep)
    signal = signal.unsqueeze(1) if spiking else signal
    seen = []
    for w, b, u in layers:
        zeros = torch.zeros(*([step.time_steps] if spiking else []), signal.shape[-2], u.shape[1]).double()
        signal, last = scan(step, torch.nn.functional.linear(signal, w, b), u, LSTMState(zeros, zeros), params)
        seen.append((signal, last))
    return seen


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 4), st.integers(1, 9))
def test_theorem_2_two_layers(seed, steps, batch, width):
    layers, params, x = network(seed, batch, width)
    quantised, grid = run(QuantizedLSTMStep(steps), layers, params, x), run(GridStep(steps), layers, params, x)
    for (h, end), (spikes, last) in zip(quantised, grid, strict=True):
        assert torch.equal(spikes.sum(1) / steps, h)
        assert torch.equal(last.c[-1], end.c)
        assert spikes.abs().max() <= 2 * steps - 1


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16])
def test_the_largest_packet_as_a_limit_changes_nothing(steps):
    layers, params, x = network(1, 4, 8)
    free, limited = (run(GridStep(steps, max_packet=m), layers, params, x) for m in (None, 2 * steps - 1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(free, limited, strict=True))
    assert free[-1][0].abs().sum() > 0


def test_strict_unit_spikes_differ_at_t_4_and_never_exceed_one():
    layers, params, x = network(1, 4, 8)
    free, strict = (run(GridStep(4, max_packet=m), layers, params, x) for m in (None, 1))
    assert free[0][0].abs().max() > 1
    assert not torch.equal(free[0][0], strict[0][0])
    for spikes, _ in strict:
        assert set(spikes.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_coasting_replicas_repeat_the_last_y_and_keep_their_cell():
    assert [t for t in range(1, 17) if not coasts(t)] == [1, 2, 4, 8, 16]
    layers, params, x = network(2, 4, 8)
    spikes, last = run(GridStep(8), layers, params, x)[0]
    coasting = [t - 1 for t in range(1, 9) if coasts(t)]
    assert (last.c[coasting] == 0).all()
    emitted = spikes.cumsum(1)
    # E_3 = R(3 y_2) with 2 y_2 within half a unit of E_2, so E_3 is within 5/4 of (3/2) E_2
    assert ((emitted[:, 2] - 1.5 * emitted[:, 1]).abs() <= 1.25).all()
    assert (spikes != 0).any((0, 2, 3)).all()


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16])
def test_unit_spikes_reach_the_largest_value(steps):
    big = torch.full((steps, 1, 4), 100.0)
    params = HardParams(torch.full((3, 1, 1), 4.0), torch.ones(1, 1))
    state = LSTMState(torch.zeros(steps, 1, 1), torch.zeros(steps, 1, 1))
    h, _ = GridStep(steps, max_packet=1)(big, state, params)
    assert h.squeeze().reshape(-1).tolist() == [1.0] * steps


def test_all_forms_coincide_at_t_1():
    layers, params, x = network(3, 4, 8)
    for limit in (None, 1):
        for (spikes, _), (h, _) in zip(
            run(GridStep(1, max_packet=limit), layers, params, x),
            run(QuantizedLSTMStep(1), layers, params, x),
            strict=True,
        ):
            assert torch.equal(spikes.squeeze(1), h)
            assert set(h.unique().tolist()) <= {-1.0, 0.0, 1.0}
