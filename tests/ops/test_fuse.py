"""Compiled steps: equal to eager ones, chosen by size, and never the reason why a run fails."""

import logging
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from spikeseq.errors import ConfigError
from spikeseq.ops import fuse
from spikeseq.ops.cells.grid import GridStep
from spikeseq.ops.cells.hard_lstm import HardParams, QuantizedLSTMStep
from spikeseq.ops.cells.lstm import LSTMState, LSTMStep
from spikeseq.ops.fuse import compiling
from spikeseq.ops.scan import Projection, scan

L, B, I, H = 3, 2, 3, 8
real_compile = torch.compile


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
    fuse._compiled.cache_clear()
    yield monkeypatch
    torch._dynamo.reset()


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


def fail(function, structure):
    def raise_(*args):
        raise torch._dynamo.exc.BackendCompilerFailed(lambda: None, RuntimeError("no g++"), None)

    return raise_


def lstm_sum():
    leaves = problem()
    return results(LSTMStep(), leaves, HardParams, (B,), "auto")


def test_without_a_compiler_it_runs_eagerly_and_says_so_once(machine, caplog):
    machine.setattr(fuse, "COMPILE_FROM", 1)
    machine.setattr(fuse, "_compiled", fail)
    with caplog.at_level(logging.WARNING, "spikeseq"):
        found = [lstm_sum() for _ in range(2)]
    (said,) = [r.getMessage() for r in caplog.records if r.name == "spikeseq"]
    assert said.startswith("torch.compile does not work here, steps run eagerly (slower): ")
    assert "no g++" in said
    expected = results(LSTMStep(), problem(), HardParams, (B,), "never")
    for values, grads in found:
        for a, b in zip((*values, *grads), (*expected[0], *expected[1]), strict=True):
            assert torch.equal(a, b)


def test_without_a_compiler_it_tries_once_and_not_at_every_element(machine):
    """A try costs about 0.4 s: at 784 elements the first forward pass would take five minutes."""
    tries = []

    def failing(function, structure):
        tries.append(function)
        return fail(function, structure)

    machine.setattr(fuse, "COMPILE_FROM", 1)
    machine.setattr(fuse, "_compiled", failing)
    lstm_sum()
    assert len(tries) == 1


def test_without_a_compiler_always_is_an_error(machine):
    machine.setattr(fuse, "_compiled", fail)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed):
        results(LSTMStep(), problem(), HardParams, (B,), "always")


def test_many_shapes_in_one_process(machine):
    """Dynamo gives up after 8 graphs of one function (masks, batch and layer sizes); a run must not."""
    machine.setattr(torch, "compile", lambda f, **options: real_compile(f, fullgraph=True, backend="eager"))
    machine.setattr(fuse, "COMPILE_FROM", 1)
    step = HalvingStep()
    for dtype in (torch.float32, torch.float64):
        for width in (4, 6):
            for batch in (3, 5, 1):
                for masked in (False, True):
                    drive = torch.ones(2, batch, width, dtype=dtype, requires_grad=True)
                    mask = torch.ones(2, batch, 1, dtype=torch.bool) if masked else None
                    state = State(torch.zeros(batch, width, dtype=dtype))
                    output, _ = scan(step, drive, torch.zeros(width, width, dtype=dtype), state, (), mask)
                    assert torch.autograd.grad(output.sum(), drive)[0][:, 0, 0].tolist() == [1.5, 1.0]


def test_small_work_is_not_compiled(machine):
    machine.setattr(fuse, "_compiled", fail)
    lstm_sum()
    assert not fuse._broken
    with compiling("never"):
        machine.setattr(fuse, "COMPILE_FROM", 1)
        function = fuse.advance(LSTMStep(), LSTMState, tuple)
        assert fuse.choose(function, 1 << 30) is function
    assert fuse.choose(function, 1 << 30) is not function
    fuse._broken.append("no compiler")
    assert fuse.choose(function, 1 << 30) is function


def test_blocks_nest_and_end_with_an_error():
    with compiling("never"):
        with pytest.raises(ZeroDivisionError), compiling("always"):
            raise ZeroDivisionError
        assert fuse._mode.get() == "never"
    assert fuse._mode.get() == "auto"


def test_a_misspelt_mode():
    with pytest.raises(ConfigError, match="mode='sometimes': pass 'auto', 'always' or 'never'"), compiling("sometimes"):
        pass
