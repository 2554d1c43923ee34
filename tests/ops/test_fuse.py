"""Compiled steps: equal to eager ones, chosen by size, and never the reason why a run fails."""

import logging
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from spikeseq.errors import CompilerError, ConfigError
from spikeseq.ops import fuse
from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.hard_lstm import HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.lif import LIFStep
from spikeseq.ops.cells.lstm import LSTMState, LSTMStep
from spikeseq.ops.fuse import compiling
from spikeseq.ops.neuron import LIFParams, LIFState
from spikeseq.ops.scan import Projection, scan

L, B, I, H = 3, 2, 3, 8


class State(NamedTuple):
    v: Tensor


class HalvingStep:
    """The smallest cell: quick to compile."""

    output_is_state = True

    def __call__(self, preactivation, state, params):
        v = 0.5 * state.v + preactivation
        return v, State(v)


@pytest.fixture
def machine(monkeypatch):
    """A machine on which nothing is known about the compiler yet."""
    monkeypatch.setattr(fuse, "_broken", [])
    monkeypatch.setattr(fuse, "_refused", set())
    compiled = fuse._compiled
    compiled.cache_clear()
    yield monkeypatch
    compiled.cache_clear()


def problem(lead=(B,), params=()):
    torch.manual_seed(0)
    leaves = [torch.randn(L, B, I), torch.randn(4 * H, I), torch.randn(4 * H), torch.randn(4 * H, H) / 2]
    state = [torch.rand(*lead, H) - 0.5 for _ in range(2)]
    return [v.requires_grad_() for v in (*leaves, *state, *params)]


def results(step, leaves, params_type, lead, mode):
    x, w, b, u, h, c, *params = leaves
    source = Projection(x if lead == (B,) else x.unsqueeze(1), w, b)
    state = LSTMState(h, c)
    with compiling(mode):
        output, last = scan(step, source, u, state, params_type(*params) if params else ())
        loss = sum((v * torch.linspace(-1, 1, v.numel()).view_as(v)).sum() for v in (output, *last))
        grads = torch.autograd.grad(loss, leaves)
    return (output, *last), grads


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, raised while it compiles
@pytest.mark.parametrize("name", ["lstm", "quantized", "grid"])
def test_compiled_equals_eager(name):
    params = (torch.rand(3, 1, H) + 2, torch.rand(1, H) + 0.5)
    step, params, lead = {
        "lstm": (LSTMStep(), (), (B,)),
        "quantized": (QuantizedLSTMStep(2), params, (B,)),
        "grid": (GridStep(2), params, (2, B)),
    }[name]
    leaves = problem(lead, params)
    values, grads = results(step, leaves, HardParams, lead, "always")
    expected, expected_grads = results(step, leaves, HardParams, lead, "never")
    if name != "lstm":
        assert torch.equal(values[0], expected[0])  # spikes
        assert values[0].abs().sum() > 0
    for a, b in zip((*values, *grads), (*expected, *expected_grads), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=2e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("masked", [False, True], ids=["full", "masked"])
def test_compiled_lif_equals_eager(reset, masked):
    torch.manual_seed(3)
    leaves = [torch.randn(L, B, H), torch.rand(B, H), torch.rand(1, H) + 0.5, torch.rand(1, 1)]
    leaves = [v.requires_grad_() for v in leaves]
    mask = (torch.arange(L)[:, None] < torch.tensor([2, L])).unsqueeze(-1) if masked else None
    found = []
    for mode in ("always", "never"):
        with compiling(mode):
            current, v, *params = leaves
            spikes, last = scan(LIFStep(reset=reset), current, None, LIFState(v), LIFParams(*params), mask)
            loss = sum((x * torch.linspace(-1, 1, x.numel()).view_as(x)).sum() for x in (spikes, *last))
            found.append((spikes, *last, *torch.autograd.grad(loss, leaves)))
    assert torch.equal(found[0][0], found[1][0])
    assert 0 < found[0][0].sum() < L * B * H
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=2e-6)


def fail(function, layout):
    raise RuntimeError("no g++")


def lstm_sum():
    leaves = problem()
    return results(LSTMStep(), leaves, HardParams, (B,), "auto")


def test_without_a_compiler_it_runs_eagerly_and_says_so_once(machine, caplog):
    machine.setattr(fuse, "COMPILE_FROM", 1)
    machine.setattr(fuse, "_compiled", fail)
    with caplog.at_level(logging.WARNING, "spikeseq"):
        found = [lstm_sum() for _ in range(2)]
    (said,) = [r.getMessage() for r in caplog.records if r.name == "spikeseq"]
    assert said.startswith("steps cannot be compiled here, they run eagerly (slower): ")
    assert "no g++" in said
    expected = results(LSTMStep(), problem(), HardParams, (B,), "never")
    for values, grads in found:
        for a, b in zip((*values, *grads), (*expected[0], *expected[1]), strict=True):
            assert torch.equal(a, b)


def test_without_a_compiler_it_tries_once_and_not_at_every_element(machine):
    """A try costs about 0.4 s: at 784 elements the first forward pass would take five minutes."""
    tries = []

    def failing(function, layout):
        tries.append(function)
        return fail(function, layout)

    machine.setattr(fuse, "COMPILE_FROM", 1)
    machine.setattr(fuse, "_compiled", failing)
    lstm_sum()
    assert len(tries) == 2  # the step, and whether anything can be compiled


def test_without_a_compiler_always_is_an_error(machine):
    machine.setattr(fuse, "_compiled", fail)
    with pytest.raises(CompilerError, match=r"'always': a step cannot be compiled here \(no g\+\+\); pass 'auto'"):
        results(LSTMStep(), problem(), HardParams, (B,), "always")


def test_each_layout_is_compiled_once(machine):
    """Masks, batch and layer sizes, and the strides that a loss gives its gradient."""
    made = []

    def record(graph, examples, options):
        made.append([tuple(x.shape) for x in examples])
        return graph

    machine.setattr(torch._inductor, "compile", record)
    machine.setattr(fuse, "COMPILE_FROM", 1)
    step = HalvingStep()
    for _ in range(2):
        for dtype in (torch.float32, torch.float64):
            for width in (4, 6):
                for batch in (3, 1):
                    for masked in (False, True):
                        drive = torch.ones(2, batch, width, dtype=dtype, requires_grad=True)
                        mask = torch.ones(2, batch, 1, dtype=torch.bool) if masked else None
                        state = State(torch.zeros(batch, width, dtype=dtype))
                        output, _ = scan(step, drive, torch.zeros(width, width, dtype=dtype), state, (), mask)
                        for loss in (output.sum(), (output * torch.ones_like(output)).sum()):
                            grad = torch.autograd.grad(loss, drive, retain_graph=True)[0]
                            assert grad[:, 0, 0].tolist() == [1.5, 1.0]
    # sum() gives a gradient of stride 0, but not behind a mask's where(), whose gradient is a tensor of its own
    assert len(made) == 2 * 2 * 2 * (3 + 2)  # forward, backward for each stride; no second time


def test_compiled_code_refuses_another_layout(machine):
    """It reads memory by the strides it was made for: it must not run on others."""
    with compiling("always"):
        function = fuse.choose(fuse.advance(HalvingStep(), State, tuple), 1, "always")
    a, b, c = (torch.ones(2, 4) for _ in range(3))
    function(a, None, None, (b,), (), None, (c,), None)
    assert (c == 1.5).all()
    with pytest.raises(AssertionError):
        function(a, None, None, (torch.ones(4, 2).t(),), (), None, (c,), None)


def test_examples_have_the_layout_asked_for_and_memory_of_their_own():
    for x in (torch.zeros(3, 4)[:, 1:3], torch.zeros(1, 4).expand(5, 4), torch.zeros(2, 3).t(), torch.zeros(0, 3)):
        twin = fuse._example(x.shape, x.stride(), x.dtype, x.device)
        assert (twin.shape, twin.stride(), twin.data_ptr() == x.data_ptr() != 0) == (x.shape, x.stride(), False)


def test_small_work_is_not_compiled(machine):
    machine.setattr(fuse, "_compiled", fail)
    lstm_sum()
    assert not fuse._broken
    machine.setattr(fuse, "COMPILE_FROM", 1)
    function = fuse.advance(LSTMStep(), LSTMState, tuple)
    assert fuse.choose(function, 1 << 30, "never") is function
    assert fuse.choose(function, 1 << 30, "auto") is not function
    fuse._broken.append("no compiler")
    assert fuse.choose(function, 1 << 30, "auto") is function


@pytest.mark.parametrize("mode", ["always", "never"])
def test_a_backward_pass_outside_the_block_runs_as_its_forward_pass_did(machine, mode):
    """Lightning, and most loops, call backward() behind the block that chose how the forward pass runs."""
    made = []
    machine.setattr(fuse, "COMPILE_FROM", 1)  # "auto" would compile this
    compiled = fuse._compiled
    machine.setattr(fuse, "_compiled", lambda *key: made.append(key[0].__name__) or compiled(*key))
    drive = torch.ones(2, 2, 4, requires_grad=True)
    with compiling(mode):
        output, _ = scan(HalvingStep(), drive, None, State(torch.zeros(2, 4)))
    machine.setattr(fuse, "COMPILE_FROM", 1 << 40)  # and would not compile this
    output.sum().backward()
    assert made == (["forward", "backward"] if mode == "always" else [])
    assert drive.grad[:, 0, 0].tolist() == [1.5, 1.0]


def test_blocks_nest_and_end_with_an_error():
    with compiling("never"):
        with pytest.raises(ZeroDivisionError), compiling("always"):
            raise ZeroDivisionError
        assert fuse._mode.get() == "never"
    assert fuse._mode.get() == "auto"


def test_a_misspelt_mode():
    with pytest.raises(ConfigError, match="mode='sometimes': pass 'auto', 'always' or 'never'"), compiling("sometimes"):
        pass


def test_a_step_that_cannot_be_compiled_stops_no_other(caplog):
    """The same call gives the same bits in every process, whatever ran before."""

    def bad(x):
        return x / 0 if x.sum().item() > 1e9 else [].pop()  # fails when it is traced

    with fuse.compiling("auto"):
        with pytest.raises(IndexError):  # its own error, from the eager run
            fuse.choose(bad, 1 << 30, "auto")(torch.zeros(8))
        assert "a step cannot be compiled" in caplog.text
        other = fuse.choose(torch.neg, 1 << 30, "auto")
        assert other is not torch.neg
        assert torch.equal(other(torch.ones(8)), -torch.ones(8))
    assert not fuse._broken
