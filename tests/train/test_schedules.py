"""What changes over the epochs, and what the optimiser is given."""

import math
import types

import pytest
import torch

from spikeseq.errors import ConfigError
from spikeseq.nn import SequenceClassifier
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule


def watch(monkeypatch, look):
    """``look(module)`` before every training and every validation batch -> two lists."""
    seen = {"training_step": [], "validation_step": []}
    for name, found in seen.items():
        step = getattr(ClassifierModule, name)

        def watched(self, batch, index, step=step, found=found):
            found.append(look(self))
            return step(self, batch, index)

        monkeypatch.setattr(ClassifierModule, name, watched)
    return seen["training_step"], seen["validation_step"]


@pytest.mark.parametrize(
    ("stages", "epochs", "expected"),
    [([8, 4], 6, [8, 8, 4, 4, 2, 2]), ([4], 3, [4, 4, 2]), ([], 2, [2, 2]), ([16, 8, 4, 1], 2, [16, 4])],
)
def test_progressive_time_steps(tiny, stub_data, monkeypatch, tmp_path, stages, epochs, expected):
    stub_data()
    training, validation = watch(monkeypatch, lambda module: module.model.rnn.kind.time_steps)
    recipe = tiny(
        {
            "model.cell": "quantized_lstm", "model.options": {"time_steps": 2},
            "train.epochs": epochs, "train.progressive_time_steps": stages,
        }
    )  # fmt: skip
    model = fit(recipe, tmp_path / "run", progress=False).model
    assert training == expected
    assert validation == [2] * epochs  # always judged at its own T
    assert model.rnn.kind.time_steps == 2


@pytest.mark.parametrize("cell", ["hard_lstm", "torch_lstm"])
def test_progressive_time_steps_of_a_layer_without_any(tiny, stub_data, tmp_path, cell):
    stub_data()
    with pytest.raises(ConfigError, match="progressive_time_steps"):
        fit(tiny({"model.cell": cell, "train.progressive_time_steps": [4]}), tmp_path / "run", progress=False)


def test_gate_schedule_multiplies_thresholds_to_the_factor(tiny, stub_data, monkeypatch, tmp_path):
    stub_data()
    names = ("threshold_l0", "clip_l0", "weight_ih_l0")
    training, _ = watch(monkeypatch, lambda module: [getattr(module.model.rnn, n).mean().item() for n in names])
    recipe = tiny(
        {
            "model.cell": "hard_lstm", "train.epochs": 4, "train.learning_rate": 1e-12,
            "train.gate_schedule": {"factor": 0.25, "epochs": 2},
        }
    )  # fmt: skip
    model = fit(recipe, tmp_path / "run", progress=False).model
    assert [row[0] for row in training] == pytest.approx([4, 4 * math.sqrt(0.25), 4 * 0.25, 4 * 0.25])
    for column in (1, 2):  # nothing else is touched
        assert [row[column] for row in training] == pytest.approx([training[0][column]] * 4)
    assert model.rnn.kind is not None


def test_gate_schedule_multiplies_what_training_has_made_of_them(tiny, stub_data, tmp_path):
    """It sharpens relative to the learned value: halving and learning go together."""
    module = ClassifierModule(
        SequenceClassifier(8, 4, 10, "hard_lstm"), tiny({"train.gate_schedule": {"factor": 0.5, "epochs": 1}}).train, 0
    )
    module.trainer = types.SimpleNamespace(current_epoch=0)
    module.on_train_epoch_start()
    assert (module.model.rnn.threshold_l0 == 4).all()
    with torch.no_grad():
        module.model.rnn.threshold_l0.add_(2)
    for epoch in (1, 2, 3):
        module.trainer = types.SimpleNamespace(current_epoch=epoch)
        module.on_train_epoch_start()
        assert (module.model.rnn.threshold_l0 == 3).all()


def configured(settings, cell="stream_lstm", steps=10):
    model = SequenceClassifier(8, 4, 10, cell, num_layers=2, bidirectional=True)
    module = ClassifierModule(model, settings, 0)
    module.trainer = types.SimpleNamespace(estimated_stepping_batches=steps)
    return model, module.configure_optimizers()


def test_weight_decay_is_for_matrices_alone(tiny):
    model, made = configured(tiny({"train.weight_decay": 0.1}).train)
    decay = {id(p): group["weight_decay"] for group in made["optimizer"].param_groups for p in group["params"]}
    decayed = {name for name, p in model.named_parameters() if decay[id(p)] == 0.1}
    parts = ("l0", "l0_reverse", "l1", "l1_reverse")
    assert decayed == {f"rnn.weight_{k}_{part}" for k in ("ih", "hh") for part in parts} | {"readout.weight"}
    assert {decay[id(p)] for name, p in model.named_parameters() if name not in decayed} == {0.0}
    assert sum(len(group["params"]) for group in made["optimizer"].param_groups) == len(list(model.parameters()))


def rates(settings, steps):
    _, made = configured(settings, steps=steps)
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert made["lr_scheduler"]["interval"] == "step"
    return found


def test_cosine_with_warm_up(tiny):
    found = rates(tiny({"train.learning_rate": 0.5, "train.warmup": 0.4}).train, 10)
    for step, rate in enumerate(found):
        assert rate == pytest.approx(0.5 * min(1, (step + 1) / 4) * 0.5 * (1 + math.cos(math.pi * step / 10))), step


def test_constant(tiny):
    assert rates(tiny({"train.learning_rate": 0.5, "train.schedule": "constant"}).train, 5) == [0.5] * 5


@pytest.mark.parametrize("penalty", ["spike_penalty", "packet_penalty"])
def test_a_penalty_on_a_layer_that_shows_no_spikes(tiny, stub_data, tmp_path, penalty):
    stub_data()
    with pytest.raises(ConfigError, match=penalty):
        fit(tiny({f"train.{penalty}": 0.1}), tmp_path / "run", progress=False)


def test_gradients_are_clipped(tiny, stub_data, monkeypatch, tmp_path):
    stub_data()
    norms = []

    def look(self, *_):  # gradients stay until the next step
        norms.append(torch.cat([p.grad.flatten() for p in self.model.parameters()]).norm().item())

    monkeypatch.setattr(ClassifierModule, "on_train_batch_end", look)
    for clip in (0.01, 0.0):
        norms.clear()
        fit(tiny({"train.gradient_clip": clip, "train.epochs": 3}), tmp_path / f"run{clip}", progress=False)
        assert len(norms) == 3
        assert (max(norms) <= 0.0101) == bool(clip)


def test_forget_bias(tiny, stub_data, tmp_path):
    stub_data()
    for cell in ("torch_lstm", "quantized_lstm"):
        recipe = tiny({"model.cell": cell, "train.forget_bias": 1.5, "train.learning_rate": 1e-12})
        rnn = fit(recipe, tmp_path / cell, progress=False).model.rnn
        bias = rnn.bias_ih_l0 + rnn.bias_hh_l0
        assert torch.allclose(bias, torch.tensor([0.0, 1.5, 0.0, 0.0]).repeat_interleave(8), atol=1e-6)
        for block in rnn.weight_hh_l0.chunk(4):
            assert torch.allclose(block @ block.T, torch.eye(8), atol=1e-5)
