"""Recipes with synaptic currents: they train, start from a GRU, are kept, counted and converted like the others."""

import math

import pytest
import torch

from spikeseq.cli import commands
from spikeseq.energy import count
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn import FrameClassifier, Seen, SpikingGatedCurrent
from spikeseq.nn.checkpoint import ModelSettings, load_model, load_sequence_model, save_model
from spikeseq.nn.gated_current import GatedCurrent
from spikeseq.train.fit import fit
from spikeseq.train.losses import activity, spike_rate

CELLS = {
    "gated_current": {"variant": "v1", "recurrent_dropout": 0.2, "input_bits": 4},
    "hard_gated_current": {},
    "spiking_gated_current": {"time_steps": 4},
    "leaky_current": {},
    "adlif": {"form": "symplectic"},
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_run_leaves_a_model_that_can_be_read_and_counted(tiny, tmp_path, cell):
    recipe = tiny({"model.cell": cell, "model.options": CELLS[cell], "model.num_layers": 2, "train.epochs": 3})
    run = fit(recipe, tmp_path / "run", progress=False)
    metrics = run.record.metrics
    history = [row["train_loss"] for row in metrics["history"]]
    assert history[-1] < history[0]
    model, settings, _ = load_model(tmp_path / "run" / "model.pt")
    assert settings == recipe.model
    # what was measured in training is kept, and evaluation does not move it
    state = run.model.state_dict()
    assert all(torch.equal(v, state[n]) for n, v in model.state_dict().items())
    assert not torch.equal(model.rnn.norm_mean_l0, torch.zeros_like(model.rnn.norm_mean_l0))
    assert metrics["energy_int32_pj"] > 0
    if cell == "hard_gated_current":
        assert "spike_rate" not in metrics
    else:
        assert 0 <= metrics["spike_rate"] <= 1
        assert metrics["gain_int32"] > 1
        assert not any(name.startswith("matched") for name in metrics)


def gru_file(tmp_path):
    torch.manual_seed(5)
    settings = ModelSettings("torch_gru", 8)
    model = settings.build(8, 10)
    save_model(tmp_path / "runs" / "seed0" / "model.pt", model, settings, (8, 10), {})
    return model


@pytest.mark.parametrize("cell", ["hard_gated_current", "spiking_gated_current"])
def test_start_from_a_gru(tiny, stub_data, tmp_path, cell):
    stub_data()
    source = gru_file(tmp_path)
    changes = {"train.start_from": "runs/seed{seed}/model.pt", "train.learning_rate": 1e-12, "model.cell": cell}
    good = {"candidate": "signed", "batch_norm": False}
    started = fit(tiny({**changes, "model.options": good}), tmp_path / "run", progress=False).model
    torch.testing.assert_close(started.rnn.weight_ih_l0[:8], source.rnn.weight_ih_l0[8:16])
    torch.testing.assert_close(started.readout.weight, source.readout.weight)
    assert started.rnn.threshold_l0.std() > 0  # calibrated
    for bad in ({}, {"candidate": "signed"}, {**good, "variant": "v1"}):
        with pytest.raises(ConfigError, match="signed candidate and without batch norm"):
            fit(tiny({**changes, "model.options": bad}), tmp_path / "bad", progress=False)
    # the other way, and a form that no GRU becomes
    with pytest.raises(ConfigError, match="cannot be converted to cell='gated_current'"):
        fit(tiny({**changes, "model.cell": "gated_current"}), tmp_path / "bad", progress=False)


def test_from_the_hard_form_to_levels(tiny, stub_data, tmp_path):
    """The same parameters under the same names, statistics included: nothing is converted, nothing is lost."""
    stub_data()
    source = fit(tiny({"model.cell": "hard_gated_current"}), tmp_path / "runs" / "seed0", progress=False).model
    changes = {"train.start_from": "runs/seed{seed}/model.pt", "train.learning_rate": 1e-12}
    recipe = tiny({**changes, "model.cell": "spiking_gated_current", "train.epochs": 1})
    started = fit(recipe, tmp_path / "run", progress=False).model
    assert isinstance(started.rnn, SpikingGatedCurrent)
    torch.testing.assert_close(started.rnn.weight_hh_l0, source.rnn.weight_hh_l0)
    assert not torch.equal(started.rnn.norm_mean_l0, torch.zeros(16))


def test_the_command_keeps_what_a_gru_became(tiny, tmp_path, capsys):
    recipe = tiny({"model.cell": "torch_gru"})
    fit(recipe, tmp_path / "run", progress=False)
    commands.convert("run/model.pt", out="snn.pt", time_steps=4)
    model, settings, _ = load_model("snn.pt")
    assert settings.cell == "spiking_gated_current"
    assert settings.options == {
        "variant": "v2", "candidate": "signed", "batch_norm": False, "recurrent_dropout": 0.0, "gru_state": True,
        "time_steps": 4, "shift": 0.5,
    }  # fmt: skip
    assert model.rnn.kind.time_steps == 4
    assert "nn.GRU -> SpikingGatedCurrent" in capsys.readouterr().out


def test_progressive_time_steps_and_penalties(tiny, stub_data, tmp_path):
    stub_data()
    changes = {
        "model.cell": "spiking_gated_current",
        "train.progressive_time_steps": [8, 4],
        "train.spike_penalty": 0.1,
    }
    run = fit(tiny({**changes, "train.epochs": 3}), tmp_path / "run", progress=False)
    assert run.model.rnn.kind.time_steps == 2
    with pytest.raises(ConfigError, match=r"progressive_time_steps"):
        fit(tiny({**changes, "model.cell": "gated_current"}), tmp_path / "bad", progress=False)
    with pytest.raises(ConfigError, match="spike_penalty"):
        fit(tiny({"model.cell": "hard_gated_current", "train.spike_penalty": 0.1}), tmp_path / "bad", progress=False)


@pytest.mark.parametrize(("cell", "block"), [("gated_current", 0), ("torch_gru", 1)])
def test_the_bias_of_the_gate_that_keeps_the_memory(tiny, stub_data, tmp_path, cell, block):
    stub_data()
    recipe = tiny({"model.cell": cell, "train.forget_bias": 1.5, "train.learning_rate": 1e-12})
    bias = fit(recipe, tmp_path / "run", progress=False).model.rnn.bias_ih_l0.view(-1, 8)
    assert torch.allclose(bias[block], torch.full((8,), 1.5), atol=1e-6)
    assert bias.sum().item() == pytest.approx(8 * 1.5, abs=1e-5)


def test_a_cell_without_gates_has_no_forget_bias(tiny, stub_data, tmp_path):
    stub_data()
    with pytest.raises(ConfigError, match=r"train.forget_bias=1.0: AdLIF has no gate"):
        fit(tiny({"model.cell": "adlif", "train.forget_bias": 1.0}), tmp_path / "run", progress=False)


def test_activity_counts_multi_bit_values_once():
    multi, level = GatedCurrent(2, 2), SpikingGatedCurrent(2, 2)
    empty = torch.empty(0)
    values = torch.tensor([[[0.0, 1.7]], [[0.4, 0.1]]])
    seen = [Seen(multi, "l0", empty, values, None, empty), Seen(level, "l0", empty, values.clamp(max=1), None, empty)]
    assert math.isclose(activity(seen), (3 / 4 + 1.5 / 4) / 2, rel_tol=1e-6)


def test_a_model_of_frames_is_kept_and_named(tiny, stub_data, tmp_path):
    settings = ModelSettings("gated_current", 8, output="frames")
    model = settings.build(3, 5)
    assert isinstance(model, FrameClassifier)
    save_model("frames.pt", model, settings, (3, 5), {})
    again, found, _ = load_model("frames.pt")
    assert found == settings
    x = torch.randn(2, 6, 3)
    assert torch.equal(again(x), model.eval()(x))
    with pytest.raises(ConfigError, match=r"'frames.pt' classifies frames: pass"):
        load_sequence_model("frames.pt")
    stub_data()
    with pytest.raises(ConfigError, match=r"model\.output='frames' with task: classify; set model\.output: sequence"):
        fit(tiny({"model.output": "frames"}), tmp_path / "run", progress=False)
    with pytest.raises(CheckpointError):
        load_sequence_model("missing.pt")


def test_the_rate_of_multi_bit_values_is_their_share_with_the_gradient_of_their_size():
    layer = GatedCurrent(2, 2, range="learned")
    reach = layer.kind.coder.reach(layer.values("l0")).item()
    values = torch.tensor([[[0.0, -1.7]], [[0.4, 0.1]]], requires_grad=True)
    rate = spike_rate([Seen(layer, "l0", torch.empty(0), values, None, torch.empty(0))])
    rate.backward()
    assert rate.item() == 3 / 4
    torch.testing.assert_close(values.grad, values.detach().sign() / reach / 4)
    assert layer.reach_l0.grad is None


def test_operations_of_a_learned_range_are_counted():
    """Without a warning: its range is a parameter."""
    model = ModelSettings("gated_current", 4, options={"range": "learned"}).build(3, 2)
    assert count(model, torch.randn(2, 5, 3)).macs_per_element > 0
