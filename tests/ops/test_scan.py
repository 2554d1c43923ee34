"""The engine against the plain loop: outputs, last state and every gradient, at odd sizes."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from spikeseq.errors import ConfigError
from spikeseq.ops import scan as engine
from spikeseq.ops.cells.adlif import AdLIFParams, AdLIFState, AdLIFStep
from spikeseq.ops.cells.current import CurrentState, CurrentStep
from spikeseq.ops.cells.gated_current import Gated, GatedParams, HardGatedState, HardGatedStep, LevelGated, LevelParams
from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.gru import GRUState, GRUStep
from spikeseq.ops.cells.hard_lstm import HardLSTMStep, HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.leaky_current import Leaky, LeakyParams
from spikeseq.ops.cells.lif import LIFStep
from spikeseq.ops.cells.lstm import LSTMState, LSTMStep
from spikeseq.ops.cells.streams import StreamParams, StreamStep
from spikeseq.ops.neuron import LIFParams, LIFState
from spikeseq.ops.reference import scan_reference
from spikeseq.ops.scan import Projection, scan
from spikeseq.ops.sigma_delta import SigmaDelta
from spikeseq.ops.spike import Arctan

L, B, I, H = 7, 3, 5, 4


class PairState(NamedTuple):
    h: Tensor
    c: Tensor


@dataclass(frozen=True)
class WideStep:
    """A smooth cell whose output is wider than its state and no part of it."""

    output_is_state = False

    def __call__(self, preactivation: Tensor, state: PairState, params: tuple[()]) -> tuple[Tensor, PairState]:
        left, right = preactivation.chunk(2, -1)
        h, c = torch.tanh(left + state.c), torch.sigmoid(right) * state.h
        return torch.cat([h * c, state.c, right], -1), PairState(h, c)


@dataclass(frozen=True)
class Case:
    """A cell, its sizes and values for everything it takes."""

    step: object
    gates: int  # G = gates * H
    recurrent: int  # R = recurrent * H
    state: type
    params: object = ()
    time_steps: int = 0  # 0: no replicas' axis

    @property
    def lead(self):
        return (self.time_steps, B) if self.time_steps else (B,)


def rand(*shape):
    return torch.rand(*shape, dtype=torch.float64)


def hard():
    return HardParams(rand(3, 1, H) + 1, rand(1, H) + 0.3)


def stream():
    return StreamParams(*hard(), 0.5 + rand(3, 1, H) / 2)


def gated_levels():
    return LevelParams(torch.ones(1, 1).double(), rand(B, H) + 0.5, rand(1, H) + 1, rand(1, H) + 0.3)


def adlif():
    return AdLIFParams(*(0.2 + 0.6 * rand(1, H) for _ in range(4)))


CASES = {
    "lstm": lambda: Case(LSTMStep(), 4, 4, LSTMState),
    "gru": lambda: Case(GRUStep(), 4, 3, GRUState),
    "hard": lambda: Case(HardLSTMStep(), 4, 4, LSTMState, hard()),
    "quantized": lambda: Case(QuantizedLSTMStep(4), 4, 4, LSTMState, hard()),
    "grid2": lambda: Case(GridStep(2), 4, 4, LSTMState, hard(), 2),
    "grid4": lambda: Case(GridStep(4, max_packet=1), 4, 4, LSTMState, hard(), 4),
    "streams": lambda: Case(StreamStep(2), 4, 4, LSTMState, stream(), 2),
    "lif": lambda: Case(LIFStep(), 1, 1, LIFState, LIFParams(rand(1, H) + 0.5, rand(1, H))),
    "lif zero": lambda: Case(LIFStep(Arctan(), "zero"), 1, 1, LIFState, LIFParams(rand(1, H) + 0.5, rand(1, H))),
    "lif rows": lambda: Case(LIFStep(), 1, 1, LIFState, LIFParams(rand(B, H) + 0.5, rand(1, 1))),
    "gated": lambda: Case(
        CurrentStep(Gated(), SigmaDelta(7)), 2, 2, CurrentState, GatedParams(rand(1, 1) + 0.5, rand(B, H) + 0.5)
    ),
    "gated levels": lambda: Case(
        CurrentStep(LevelGated(4, True), SigmaDelta(4, signed=True)), 2, 2, CurrentState, gated_levels()
    ),
    "gated hard": lambda: Case(HardGatedStep(LevelGated(None)), 2, 2, HardGatedState, gated_levels()),
    "leaky": lambda: Case(
        CurrentStep(Leaky(), SigmaDelta(8, 1, "trunc", True)),
        1,
        1,
        CurrentState,
        LeakyParams(rand(1, 1) + 1, rand(1, H)),
    ),
    "adlif": lambda: Case(AdLIFStep(), 1, 1, AdLIFState, adlif()),
    "adlif symplectic": lambda: Case(AdLIFStep(True), 1, 1, AdLIFState, adlif()),
    "wide": lambda: Case(WideStep(), 2, 2, PairState),
    "wide mixed": lambda: Case(WideStep(), 2, 1, PairState),
}


def leaf(value):
    return value.detach().clone().requires_grad_()


def build(case, projected, recurrent, lead):
    """Leaves for one call: every tensor that can have a gradient, by name."""
    width = case.gates * H
    leaves = {"drive": torch.randn(L, *lead, I if projected else width, dtype=torch.float64)}
    if projected:
        leaves |= {"weight": torch.randn(width, I, dtype=torch.float64) / 2, "bias": rand(width) - 0.5}
    if recurrent:
        leaves["u"] = torch.randn(case.recurrent * H, H, dtype=torch.float64) / 2
    leaves |= {f"state {n}": 2 * rand(*case.lead, H) - 1 for n in case.state._fields}
    leaves |= {f"param {n}": v for n, v in zip(getattr(case.params, "_fields", ()), case.params, strict=True)}
    return {name: leaf(value) for name, value in leaves.items()}


def call(function, case, v, mask):
    """Run ``function`` on the leaves; the plain loop gets the input product as a drive."""
    drive = v["drive"]
    if "weight" in v:
        bias = v.get("bias")
        drive = (
            Projection(drive, v["weight"], bias)
            if function is scan
            else torch.nn.functional.linear(drive, v["weight"], bias)
        )
    state = case.state(*(v[f"state {n}"] for n in case.state._fields))
    params = type(case.params)(*(x for n, x in v.items() if n.startswith("param ")))
    return function(case.step, drive, v.get("u"), state, params, mask)


def compare(case, leaves, mask=None, atol=1e-11):
    """Outputs, last state and the gradient of every leaf that asks for one."""
    wanted = {n: v for n, v in leaves.items() if v.requires_grad}
    found = []
    for function in (scan, scan_reference):
        output, last = call(function, case, leaves, mask)
        assert type(last) is case.state
        values = (output, *last)
        torch.manual_seed(5)
        loss = sum((v * torch.randn_like(v)).sum() for v in values)
        grads = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
        zeros = [torch.zeros_like(w) if g is None else g for g, w in zip(grads, wanted.values(), strict=True)]
        found.append(dict(zip(("output", *case.state._fields, *wanted), (*values, *zeros), strict=True)))
    for name in found[0]:
        assert found[0][name].shape == found[1][name].shape, name
        torch.testing.assert_close(found[0][name], found[1][name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}")


def ragged(*lengths):
    return (torch.arange(L)[:, None] < torch.tensor(lengths)).unsqueeze(-1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("projected", [True, False], ids=["Wx", "drive"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
@pytest.mark.parametrize("chunk", [None, 1, 100], ids=["whole", "chunks of 1", "chunks"])
def test_engine_equals_the_plain_loop(monkeypatch, name, projected, masked, chunk):
    torch.manual_seed(len(name))
    case = CASES[name]()
    if chunk:
        monkeypatch.setattr(engine, "CHUNK", chunk)
    leaves = build(case, projected, True, case.lead)
    compare(case, leaves, ragged(4, 7, 1) if masked else None)


def test_several_chunks_do_run(monkeypatch):
    monkeypatch.setattr(engine, "CHUNK", 100)
    assert list(engine._chunks(L, B * 4 * H)) == [(0, 2), (2, 4), (4, 6), (6, 7)]


@pytest.mark.parametrize("name", ["grid2", "grid4", "streams"])
@pytest.mark.parametrize("projected", [True, False], ids=["Wx", "drive"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_one_drive_for_all_replicas(monkeypatch, name, projected, masked):
    monkeypatch.setattr(engine, "CHUNK", 150)
    torch.manual_seed(1)
    case = CASES[name]()
    compare(case, build(case, projected, True, (1, B)), ragged(2, 7, 5) if masked else None)


@pytest.mark.parametrize("name", ["lif", "lif zero", "wide", "hard", "gated", "adlif"])
@pytest.mark.parametrize("projected", [True, False], ids=["Wx", "drive"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_a_cell_without_recurrent_product(name, projected, masked):
    torch.manual_seed(2)
    case = CASES[name]()
    compare(case, build(case, projected, False, case.lead), ragged(2, 7, 5) if masked else None)


@pytest.mark.parametrize("projected", [True, False], ids=["Wx", "drive"])
@pytest.mark.parametrize("lead", [(1, B), (2, 1), (1, 1)])
def test_a_broadcast_drive_without_recurrent_product(projected, lead):
    torch.manual_seed(3)
    case = Case(LIFStep(), 1, 1, LIFState, LIFParams(rand(1, H) + 0.5, rand(1, H)), 2)
    compare(case, build(case, projected, False, lead))


@pytest.mark.parametrize("without", ["bias", "u"])
@pytest.mark.parametrize(
    "kept", ["drive", "weight", "bias", "u", "state h", "state c", "param threshold", "param clip"]
)
def test_each_gradient_alone(kept, without):
    torch.manual_seed(4)
    case = CASES["hard"]()
    leaves = {n: v.requires_grad_(n == kept) for n, v in build(case, True, True, case.lead).items() if n != without}
    if kept != without:
        compare(case, leaves, ragged(4, 7, 1))


def test_some_params_wanted():
    torch.manual_seed(6)
    case = CASES["streams"]()
    leaves = build(case, True, True, case.lead)
    leaves["param threshold"].requires_grad_(False)
    compare(case, leaves)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["output", "h", "c"])
def test_a_loss_of_one_result_alone(part):
    torch.manual_seed(7)
    case = CASES["lstm"]()
    leaves = build(case, True, True, case.lead)
    found = []
    for function in (scan, scan_reference):
        output, last = call(function, case, leaves, None)
        value = (output, *last)[part]
        found.append(torch.autograd.grad(value.square().sum(), list(leaves.values())))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_sequences(length):
    torch.manual_seed(8)
    case = CASES["gru"]()
    leaves = build(case, True, True, case.lead)
    leaves["drive"] = leaf(leaves["drive"][:length])
    compare(case, leaves)


def test_what_lies_at_padding_has_no_influence_and_no_gradient():
    torch.manual_seed(9)
    case, mask = CASES["lstm"](), ragged(2, 7, 5)
    leaves = build(case, False, True, case.lead)
    output, last = call(scan, case, leaves, mask)
    grad = torch.autograd.grad(output.sum() + last.c.sum(), leaves["drive"])[0]
    padding = (~mask).expand_as(grad)
    assert padding.any()
    assert (grad[padding] == 0).all()
    assert (grad[~padding] != 0).all()
    leaves["drive"] = torch.where(mask, leaves["drive"], 1e6)
    again, last_again = call(scan, case, leaves, mask)
    assert torch.equal(output, again)
    assert torch.equal(last.c, last_again.c)


def test_without_gradients_nothing_is_kept():
    case = CASES["lstm"]()
    leaves = build(case, True, True, case.lead)
    with torch.no_grad():
        output, _ = call(scan, case, leaves, None)
    assert not output.requires_grad
    assert torch.equal(output, call(scan, case, leaves, None)[0])


@pytest.mark.parametrize("name", ["lstm", "gru", "hard", "wide"])
def test_gradcheck(name):
    torch.manual_seed(10)
    case = CASES[name]()
    leaves = build(case, True, True, case.lead)
    names = list(leaves)
    leaves = {n: leaf(v[:3] if n == "drive" else v) for n, v in leaves.items()}

    def run(*values):
        output, last = call(scan, case, dict(zip(names, values, strict=True)), ragged(3, 2, 3)[:3])
        return output, *last

    if name == "hard":  # a difference quotient needs every clip to stay clear of its kinks
        assert kink_distance(case, leaves) > 1e-4
    assert torch.autograd.gradcheck(run, tuple(leaves.values()), eps=1e-6, atol=1e-7)


def kink_distance(case, v):
    """How near a hard LSTM comes to an edge of one of its clips."""
    state, nearest = LSTMState(v["state h"], v["state c"]), []
    params = HardParams(v["param threshold"], v["param clip"])
    for n in range(3):
        a = v["drive"][n] @ v["weight"].t() + v["bias"] + state.h @ v["u"].t()
        a_i, a_f, a_g, a_o = a.chunk(4, -1)
        _, state = case.step(a, state, params)
        for x, edge in (*zip((a_i, a_f, a_o), params.threshold / 2, strict=True), (a_g, params.clip), (state.c, 1)):
            nearest.append((x.abs() - edge).abs().min())
    return torch.stack(nearest).min().item()


def test_an_empty_sequence_is_refused():
    with pytest.raises(ConfigError, match="drive has length 0: a sequence needs at least one element"):
        scan(LSTMStep(), torch.zeros(0, B, 4 * H), None, LSTMState(torch.zeros(B, H), torch.zeros(B, H)))
