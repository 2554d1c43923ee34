"""Gated and leaky currents with multi-bit outputs: the model's levels, products of what is not 0, the norm in the weights."""

import copy

import numpy as np
import pytest
import torch
from dyadic import SIZES, assert_same_counts, steps

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.energy import count
from spikeseq.errors import CheckpointError, ConfigError, DataError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.runtime import Program
from spikeseq.runtime.arrays import Settings

I, H = SIZES
L = 13
TOLERANCE = 1e-5  # far below a level: sums in another order
CODES = (("trunc", "signed"), ("nearest", "signed"), ("nearest", "unsigned"))
CELLS = [  # a leaky current may be negative: its code has a sign
    (cell, *code) for cell in ("v1", "v2", "leaky") for code in CODES if (cell, code[1]) != ("leaky", "unsigned")
]


def trained_like(model, seed=0):
    """Norms that have measured something, weights that make every layer send."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "norm_var" in name:
                value.uniform_(0.5, 2)
            elif "norm_mean" in name:
                value.normal_()
            elif "range" in name:
                value.copy_(torch.tensor([2.1, 0.9]))
            elif "weight_ih" in name:
                value.normal_(std=1.5)
    return model.eval()


def layer(cell, layers=1, **options):
    torch.manual_seed(5)
    if cell == "leaky":
        return trained_like(snn.LeakyCurrent(I, H, layers, first_leak=0.9, **options))
    return trained_like(snn.GatedCurrent(I, H, layers, variant=cell, **options))


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("bits", "threshold_levels"), [(6, 3), (3, 0), (2, 0)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("cell", "rounding", "levels"), CELLS)
def test_outputs_state_and_counts(cell, layers, rounding, levels, bits, threshold_levels, batch_norm):
    model = layer(
        cell, layers, bits=bits, threshold_levels=threshold_levels, rounding=rounding, levels=levels, batch_norm=batch_norm,
        range="learned" if bits == 2 else "ema",
    )  # fmt: skip
    x = torch.randn(L, 3, I)
    with torch.no_grad():
        expected, state = model(x)
    assert (expected != 0).float().mean() > 0.02
    stream = runtime.compile(model).stream(3)
    np.testing.assert_allclose(steps(stream, x.numpy()), expected.numpy(), atol=TOLERANCE)
    current, residual = stream.state()["c"].transpose(2, 1, 0, 3)  # [2, layers, B, H]
    np.testing.assert_allclose(current, state.current.numpy(), atol=10 * TOLERANCE)
    np.testing.assert_allclose(residual, state.residual.numpy(), atol=10 * TOLERANCE)
    assert_same_counts(stream, count(model, x))


@pytest.mark.parametrize(("rounding", "range"), [("trunc", "ema"), ("nearest", "learned")])
@pytest.mark.parametrize("cell", ["v1", "v2", "leaky"])
def test_coded_inputs(cell, rounding, range):
    model = layer(cell, 2, input_bits=5, rounding=rounding, range=range)
    x = torch.randn(L, 3, I)
    with torch.no_grad():
        expected, state = model(x)
    program = runtime.compile(model)
    stream, other = program.stream(3), program.stream(3)
    first = steps(stream, x.numpy()[:5])
    other.load_state(stream.state())
    found = np.concatenate([first, steps(other, x.numpy()[5:])])
    np.testing.assert_allclose(found, expected.numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(other.state()["input"], state.input[0].numpy(), atol=10 * TOLERANCE)
    steps(stream, x.numpy()[5:])
    assert_same_counts(stream, count(model, x))
    wrong = stream.state()
    wrong["input"][0, 0] = np.nan
    with pytest.raises(DataError):
        stream.load_state(wrong)
    stream.reset()
    assert not stream.state()["input"].any()


def rounded(model):
    """The same model with the weights that int8 stands for, its norms folded in."""
    clone = copy.deepcopy(model)

    def to_eight_bits(weight):
        unit = (weight.abs().amax(1, keepdim=True) / 127).float()
        return (weight / unit).round() * unit

    with torch.no_grad():
        for name, weight in clone.named_parameters():
            if "weight" in name:
                part = name.rsplit("_", 1)[-1]
                gain = 1.0
                if "weight_ih" in name and (own := clone.values(part)) and "norm_gain" in own:
                    gain = (own["norm_gain"] * torch.rsqrt(own["norm_var"] + 1e-5))[:, None]
                weight.copy_(to_eight_bits(weight * gain) / gain)
    return clone


@pytest.mark.parametrize(
    "options", [{}, {"input_bits": 6}, {"batch_norm": False}, {"batch_norm": False, "bias": False}]
)
@pytest.mark.parametrize("cell", ["v1", "v2", "leaky"])
def test_int8_weights_are_the_model_with_rounded_weights(cell, options, tmp_path):
    model = layer(cell, 2, **options)
    x = torch.randn(L, 3, I)
    with torch.no_grad():
        expected = rounded(model)(x)[0].numpy()
        assert np.abs(expected - model(x)[0].numpy()).max() > 0.01  # else the rounding would not show
    program = runtime.compile(model, "int8")
    assert program.nbytes < 0.7 * runtime.compile(model).nbytes
    again = Program.load(program.save(tmp_path / "model.spk"))
    assert again.settings == program.settings
    stream = again.stream(3)
    np.testing.assert_allclose(steps(stream, x.numpy()), expected, atol=TOLERANCE)
    assert_same_counts(stream, count(rounded(model), x))


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_int8_readout_of_spikes_and_values(pooling):
    torch.manual_seed(2)
    model = trained_like(SequenceClassifier(I, H, 5, "gated_current", pooling=pooling))
    x = torch.randn(L, 3, I)
    x[3] = x[3].sign()  # an element of spikes among others
    program = runtime.compile(model, "int8")
    unit = program.readout.scale
    np.testing.assert_allclose(
        program.readout.rows * unit, model.readout.weight.detach().numpy().T, atol=unit.max() / 2
    )
    with torch.no_grad():
        model.rnn = rounded(model.rnn)
        model.readout.weight.copy_(torch.from_numpy((program.readout.rows * unit).T))
        expected = model(x.transpose(0, 1)).numpy()
    np.testing.assert_allclose(program.stream(3).run(x.numpy()), expected, atol=1e-4)


def test_an_element_by_hand():
    """One unit, M = 2, 3 levels rounded: currents of ln 3 / 2 and so on are short to write down."""
    model = snn.GatedCurrent(
        1, 1, variant="v2", bits=2, threshold_levels=0, rounding="nearest", levels="unsigned", range="learned",
        batch_norm=False,
    )  # fmt: skip
    with torch.no_grad():
        model.weight_ih_l0.copy_(torch.tensor([[0.0], [1.0]]))  # z = 1/2 whatever comes, c = x
        model.weight_hh_l0.copy_(torch.tensor([[0.0], [3.0]]))  # .. + 3 y
        model.bias_ih_l0.zero_()
        model.reach_l0.fill_(2.0)
    stream = runtime.compile(model.eval()).stream()
    assert stream.step([4.0]) == 2  # h = 2, acc = 2: level 3 of 3
    # c = 0 + 3 * 2, h = (6 + 2) / 2 = 4, acc = 4 > M: level 3, and 2 are left
    assert stream.step([0.0]) == 2
    np.testing.assert_allclose(stream.state()["c"].ravel(), [4, 2], atol=1e-6)
    # c = max(-20 + 6, 0), h = 2, acc = 4: level 3 again
    assert stream.step([-20.0]) == 2
    counters = stream.counters()["l0"]
    assert counters["macs"] == 3 * (2 + 2) + 2 * 2  # W and two products an element; U where something was sent before
    assert counters["spikes"] == 3


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("cell", ["gated_current", "leaky_current"])
def test_classifier_chunks_file_and_state(cell, pooling, tmp_path):
    torch.manual_seed(1)
    model = trained_like(SequenceClassifier(I, H, 5, cell, 2, pooling=pooling))
    x = torch.randn(L, 3, I)
    with torch.no_grad():
        expected = torch.stack([model(x[: n + 1].transpose(0, 1)) for n in range(L)]).numpy()
    made = runtime.compile(model)
    program = Program.load(made.save(tmp_path / "model.spk"))
    assert (program.names, program.nbytes, program.settings) == (made.names, made.nbytes, made.settings)
    stream, other = program.stream(3), program.stream(3)
    np.testing.assert_allclose(steps(stream, x.numpy()[:4]), expected[:4], atol=TOLERANCE)
    other.load_state(stream.state())
    np.testing.assert_allclose(other.run(x.numpy()[4:]), expected[-1], atol=TOLERANCE)
    whole = program.stream(3)
    whole.run(x.numpy())
    assert_same_counts(whole, count(model, x.transpose(0, 1)))


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_elements_of_spikes_are_added(weights):
    model = layer("v2", 2, bias=False)
    x = torch.randint(-1, 2, (L, 2, I)).float()
    with torch.no_grad():
        expected = (rounded(model) if weights == "int8" else model)(x)[0].numpy()
    stream = runtime.compile(model, weights).stream(2)
    np.testing.assert_allclose(steps(stream, x.numpy()), expected, atol=TOLERANCE)
    assert stream.counters()["l0"]["acs"] == 2 * H * int(x.abs().sum())


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_a_sum_over_the_elements(weights):
    """No classifier of ours has it; programs do."""
    torch.manual_seed(4)
    model = trained_like(SequenceClassifier(I, H, 5, "gated_current", pooling="mean"))
    x = torch.randn(L, 1, I).numpy()
    program = runtime.compile(model, weights)
    summed = Program(program.settings, program.layers, program.readout._replace(pooling="sum"))
    bias = program.readout.bias
    mean, total = program.stream().run(x), summed.stream().run(x)
    np.testing.assert_allclose(total - bias, L * (mean - bias), rtol=1e-4, atol=1e-4)


def test_a_leak_above_one_stays_finite():
    model = snn.LeakyCurrent(I, H).eval()
    with torch.no_grad():
        model.leak_l0.fill_(1.5)
    stream = runtime.compile(model).stream()
    for _ in range(1000):
        assert np.isfinite(stream.step([1e30, -1e30, 1e30])).all()
    assert np.isfinite(stream.state()["c"]).all()


@pytest.mark.parametrize(
    ("options", "weights", "what"),
    [
        ({"bits": 8, "levels": "unsigned", "threshold_levels": 0}, "float32", "255 levels, more than 127"),
        ({}, "int4", "weights='int4'"),
    ],
)
def test_what_cannot_run_is_refused(options, weights, what):
    with pytest.raises(ConfigError, match=what):
        runtime.compile(snn.GatedCurrent(I, H, **options), weights)


def test_eight_bits_with_a_sign_fill_the_bytes():
    model = layer("v1", bits=8, threshold_levels=0, range="learned")
    with torch.no_grad():
        model.weight_ih_l0.mul_(50)
        x = torch.randn(L, 1, I)
        expected = model(x)[0].numpy()
    stream = runtime.compile(model).stream()
    np.testing.assert_allclose(steps(stream, x.numpy()), expected[:, 0][:, None].reshape(L, 1, H), atol=1e-4)
    assert stream.state()["h"].max() == 127


def test_states_and_settings_that_cannot_be(tmp_path):
    program = runtime.compile(layer("v2"))
    stream = program.stream()
    state = stream.state()
    state["c"][..., 0] = np.inf
    with pytest.raises(DataError):
        stream.load_state(state)
    with pytest.raises(DataError, match="more than 31"):
        stream.load_state({**stream.state(), "h": np.full((1, 1, H), 32, np.int8)})
    unsigned = runtime.compile(layer("v2", levels="unsigned", bits=5, rounding="nearest")).stream()
    with pytest.raises(DataError, match="has no sign"):
        unsigned.load_state({**unsigned.state(), "h": np.full((1, 1, H), -1, np.int8)})
    for wrong in (
        {"code_scale": 200.0},
        {"code_scale": 1e-40},
        {"code_scale": True},
        {"code_dead": -1},
        {"code_nearest": 1},
        {"recurrent": None},
    ):
        settings = Settings(1, 0, 0.5, kind="gated", **{"is_signed": True, "code_scale": 31.0, **wrong})
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Program(settings, program.layers)
    with pytest.raises(ConfigError, match="code_scale=0"):
        Program(Settings(1, 0, 0.5, kind="gated", is_signed=True), program.layers)  # no level
    path = program.save(tmp_path / "model.spk")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError):
        Program.load(path)
