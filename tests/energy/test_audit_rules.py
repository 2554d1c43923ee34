"""One hidden trick for each small model: what the audit must see, and what it must let pass."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spikeseq.energy.audit import audit
from spikeseq.ops.spike import Rectangle, Triangle, quantize_unit, round_half_away, round_through, straight_through


class Model(nn.Module):
    """Runs a function of the batch ``x [4, 28]``; ``w`` is a dense weight, ``v`` a threshold for each unit."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.randn(6, 28))
        self.register_buffer("v", torch.rand(28) + 0.51)

    def forward(self, x):
        return self.function(self, x)


def found(function, x=None, **options):
    torch.manual_seed(0)
    return audit(Model(function), torch.randn(4, 28) if x is None else x, **options).findings


def spikes(x):
    return (x > 0).float()


def into_buffer(m, x):
    buffer = torch.zeros(2, 4, 28)
    buffer[1].view(-1)[:] = x.view(-1)
    return buffer[1] * buffer[1, :, :1]


def beside_spikes(m, x):
    buffer = torch.zeros(2, 4, 28)
    buffer[0] = 0.3 * x
    fired = buffer > 0
    buffer[1] = spikes(x)
    return fired, buffer


def half_rounded(m, x):
    y = 0.3 * x
    y[:2].floor_()
    return y


def in_place(m, x):
    y = x + 1
    y.mul_(0.3)
    return y


def through_out(m, x):
    out = torch.empty(4, 28)
    torch.mul(x + 1, 0.3, out=out)
    return out


def through_foreach(m, x):
    (y,) = torch._foreach_mul([x], 0.3)
    return y


def helper(x):
    return x * x


PASS = {
    "scaled, then compared": lambda m, x: (0.3 * x > 0.1).float(),
    "staircase": lambda m, x: torch.clamp(torch.floor(4 * (x / m.v + 0.5) + 0.5), 0, 4) / 4,
    "staircase with a long way before the clip": lambda m, x: torch.clamp(torch.floor(400 * x / m.v), 0, 4),
    "clipped after the scale": lambda m, x: torch.clamp(torch.floor(400 * x / m.v) / 4, 0, 1),
    "signed staircase": lambda m, x: round_half_away(x / m.v),
    "straight through": lambda m, x: straight_through(torch.sign(x), x / m.v),
    "quantised gate": lambda m, x: quantize_unit(x / m.v + 0.5, 16),
    "rounded product": lambda m, x: round_through(0.7 * x),
    "rounded division": lambda m, x: torch.div(x, 0.3, rounding_mode="floor").clamp(0, 3),
    "scaled twice, then compared": lambda m, x: 0.7 * (0.3 * x) / m.v > 0.1,
    "to integers": lambda m, x: (x * 0.7).long(),
    "neuron, slope of a triangle": lambda m, x: Triangle()((x - m.v) / m.v),
    "neuron, slope of a rectangle": lambda m, x: Rectangle(0.7)((x - m.v) / m.v),
    "rearranged on the way": lambda m, x: torch.stack((0.3 * x).chunk(2, -1)).transpose(0, 1).flip(0) > 0,
    "reset": lambda m, x: x - m.v * spikes(x),
    "gated": lambda m, x: spikes(x - 0.5) * (x + 1),
    "gated, k/T": lambda m, x: (torch.clamp(torch.floor(4 * x), 0, 4) / 4) * (x + 1),
    "spikes times weights": lambda m, x: F.linear(spikes(x), m.w),
    "scaled spikes times weights": lambda m, x: F.linear(0.3 * spikes(x), m.w),
    "ternary weights": lambda m, x: F.linear(x + 1, m.w.sign()),
    "spikes with spikes": lambda m, x: spikes(x) @ (x + 1).t(),
    "shift and adds": lambda m, x: (x + 1) * 0.375 + x / 8,
    "constants are free": lambda m, x: F.linear(spikes(x), torch.tanh(m.w * m.v) @ torch.ones(28, 28)) * 2,
    "mean over a power of two": lambda m, x: x.mean(0),
    "sums and choices": lambda m, x: torch.where(x > 0, x.cumsum(0), -x).topk(3).values.sum(),
    "shapes only": lambda m, x: torch.zeros_like(x) * 0.3 + x,
    "truth in Python": lambda m, x: x if bool((x > 0).any()) else -x,
    "overwritten with constants": lambda m, x: x.clone().fill_(0.7) * 0.3 + spikes(x),
}  # fmt: skip

FIND = {
    "scaled": (lambda m, x: 0.3 * x, "element-wise product", "mul"),
    "scaled, then added to data": (lambda m, x: spikes(0.3 * x + x), "element-wise product", "mul"),
    "scaled, compared with data": (lambda m, x: spikes(0.9 * x - x.flip(0)), "element-wise product", "mul"),
    "scaled, compared with data directly": (lambda m, x: 0.9 * x >= x.flip(0), "element-wise product", "mul"),
    "rounded to many levels": (lambda m, x: torch.floor(0.9 * x * 65536) / 65536, "element-wise product", "mul"),
    "scaled, compared and returned": (lambda m, x: (y := 0.3 * x, y > 0), "element-wise product", "mul"),
    "scaled, compared and kept": (beside_spikes, "element-wise product", "mul"),
    "scaled, rounded in part": (half_rounded, "element-wise product", "mul"),
    "scaled by a tensor": (lambda m, x: x * m.v, "element-wise product", "mul with v"),
    "divided": (lambda m, x: x / m.v, "element-wise product", "div with v"),
    "divided by three": (lambda m, x: x / 3, "element-wise product", "div"),
    "in place": (in_place, "element-wise product", "mul"),
    "out=": (through_out, "element-wise product", "mul"),
    "alpha": (lambda m, x: torch.add(x, x.flip(0), alpha=0.3), "element-wise product", "add"),
    "alpha of a constant sum": (lambda m, x: torch.sub(m.v, x, alpha=0.3), "element-wise product", "sub with v"),
    "addcmul": (lambda m, x: torch.addcmul(x, x, x), "element-wise product", "addcmul"),
    "addcdiv": (lambda m, x: torch.addcdiv(x, x, m.v), "element-wise product", "addcdiv with v"),
    "lerp": (lambda m, x: torch.lerp(x, x.flip(0), 0.3), "element-wise product", "lerp"),
    "square": (lambda m, x: x * x, "element-wise product", "mul"),
    "power": (lambda m, x: x**2, "element-wise product", "pow"),
    "root": (lambda m, x: x.abs() ** 0.5, "function", "pow"),
    "slope": (lambda m, x: F.leaky_relu(x), "element-wise product", "leaky_relu"),
    "a helper's line": (lambda m, x: helper(x), "element-wise product", "mul"),
    "into a buffer": (into_buffer, "element-wise product", "mul"),
    "mean over 28": (lambda m, x: x.mean(1), "element-wise product", "mean"),
    "pooled over 3": (lambda m, x: F.avg_pool1d(x, 3), "element-wise product", "avg_pool2d"),
    "softmax": (lambda m, x: x.softmax(-1), "function", "_softmax"),
    "reciprocal": (lambda m, x: 1 / (x + 9), "function", "reciprocal"),
    "spread": (lambda m, x: x.std(), "function", "std"),
    "first layer": (lambda m, x: F.linear(x.flip(0).double(), m.w.double()), "input layer", "mm with w"),
    "second layer": (lambda m, x: F.linear(x + 1, m.w), "matrix product", "mm with w"),
    "masked first layer": (lambda m, x: F.linear(x * (m.v > 0.7), m.w), "input layer", "mm with w"),
    "masked by data": (lambda m, x: F.linear(x * spikes(x - 1), m.w), "matrix product", "mm with w"),
    "attention": (lambda m, x: x @ x.flip(0).t(), "matrix product", "mm"),
    "einsum": (lambda m, x: torch.einsum("bi,oi->bo", x + 1, m.w), "matrix product", "bmm with w"),
    "scaled ternary weights": (lambda m, x: F.linear(x + 1, 0.3 * m.w.sign()), "matrix product", "mm with w"),
    "convolution": (lambda m, x: F.conv1d(x[:, None], m.w[:, None, :3]), "input layer", "convolution with w"),
    "unknown": (lambda m, x: torch.fft.fft(x).real, "no rule", "_fft_r2c"),
    "foreach": (through_foreach, "no rule", "_foreach_mul"),
    "out through Python": (lambda m, x: x + m.w[0] * x.max().item(), "no rule", "_local_scalar_dense"),
    "out through lists": (lambda m, x: x + 0.3 * torch.tensor(x.tolist()), "no rule", "tolist"),
    "out through NumPy": (lambda m, x: torch.from_numpy(np.square(x.numpy())), "no rule", "numpy"),
    "out through memory": (lambda m, x: torch.tensor(x.untyped_storage().tolist()) * 0.3, "no rule", "untyped_storage"),
    "sparse": (lambda m, x: torch.zeros(3, 28).to_sparse() @ x.t(), "no rule", "mm"),
}  # fmt: skip


@pytest.mark.parametrize("name", PASS)
def test_passes(name):
    assert found(PASS[name]) == ()


@pytest.mark.parametrize("name", FIND)
def test_finds(name):
    function, kind, operation = FIND[name]
    (only,) = found(function)
    assert (only.kind, only.operation) == (kind, operation)
    assert only.line.startswith("test_audit_rules.py:")
    code = (helper if name == "a helper's line" else function).__code__
    lines = {line for *_, line in code.co_lines()}
    assert int(only.line.split(":")[1]) in lines


def test_product_is_reported_where_it_runs_not_where_it_hurts():
    def function(m, x):
        scaled = x * 0.3
        moved = scaled.t().contiguous().clamp(-1, 1) + m.v[:, None]
        return F.linear(moved.t(), m.w)

    scale, product = found(function)
    assert (scale.source, product.kind) == ("scaled = x * 0.3", "matrix product")


def test_scale_must_be_the_same_at_every_call():
    def scaled_by_data(m, x):
        return sum(F.linear(row.abs().amax() * spikes(row), m.w) for row in x.split(1))

    def scaled_by_a_constant(m, x):
        return sum(F.linear(0.7 * spikes(row), m.w) for row in x.split(1))

    assert found(scaled_by_a_constant) == ()
    (only,) = found(scaled_by_data)
    assert (only.kind, only.count) == ("matrix product", 3)  # the first alone shows one scale


def test_noise_is_data():
    (only,) = found(lambda m, x: F.linear(torch.rand(4, 28), m.w))
    assert only.kind == "matrix product"
    assert found(lambda m, x: F.linear((torch.rand_like(x) < x).float(), m.w)) == ()


def test_batch_normalisation_is_to_be_folded():
    (only,) = audit(nn.Sequential(nn.BatchNorm1d(5)), torch.randn(4, 5)).findings
    assert (only.kind, only.module) == ("function", "0")
    assert "fold it into the weights" in only.why


def test_embedding_is_the_input():
    model = nn.Sequential(nn.Embedding(9, 5), nn.Linear(5, 4))
    (only,) = audit(model, torch.tensor([[1, 4, 7]])).findings
    assert (only.kind, only.module) == ("input layer", "1")


class Stateful(nn.Module):
    """One step at a time: the recurrent product of the first step multiplies a constant."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 5)
        self.memory = [torch.zeros(1, 5)]

    def forward(self, x):
        self.memory[0] = torch.relu(x + self.inner(self.memory[0]))
        return spikes(self.memory[0])


def test_state_kept_in_modules_is_data():
    (only,) = audit(Stateful(), torch.randn(4, 5)).findings
    assert (only.kind, only.module) == ("matrix product", "inner")
    assert audit(Stateful(), torch.randn(4, 5), allow=["inner"]).ok


def test_allow_takes_modules_with_what_is_inside():
    model = nn.Sequential(nn.Sequential(nn.Softmax(-1)), nn.Tanh())
    assert [f.module for f in audit(model, torch.randn(2, 5)).findings] == ["0.0", "1"]
    assert [f.module for f in audit(model, torch.randn(2, 5), allow=["0"]).findings] == ["1"]
    assert audit(model, torch.randn(2, 5), allow=["function", "nobody"]).ok
    assert not audit(nn.ModuleDict({"ab": nn.Tanh()})["ab"], torch.randn(2, 5), allow=["a"]).ok


def test_equal_findings_are_counted():
    def function(m, x):
        for _ in range(3):
            x = torch.tanh(x)
        return x

    (only,) = found(function)
    assert only.count == 3


class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("broken on purpose")


@pytest.mark.parametrize("last", [nn.Identity, Broken])
def test_modes_hooks_and_modules_are_put_back(last):
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.ReLU(), last())).train()
    model[1].eval()
    try:
        assert audit(model, torch.randn(2, 5)).ok
    except RuntimeError as error:
        assert "broken on purpose" in str(error)  # noqa: PT017
    assert [m.training for m in model.modules()] == [True, True, False, False, False]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_compiled_functions_are_seen_too():
    (only,) = found(torch.compile(lambda m, x: x * x))
    assert (only.kind, only.operation) == ("element-wise product", "mul")


def test_unused_result_of_a_product_counts():
    def function(m, x):
        _ = x * x
        return spikes(x)

    assert [f.operation for f in found(function)] == ["mul"]
