"""A training run: what it leaves, which epoch it keeps, and that the test data is looked at once."""

import copy
import csv
import dataclasses
import json

import pytest
import torch

from spikeseq.data.sequence import Decibels
from spikeseq.errors import CheckpointError, ConfigError, ConversionError
from spikeseq.nn import SequenceClassifier
from spikeseq.nn.checkpoint import ModelSettings, load_model, save_model
from spikeseq.report.record import read_record
from spikeseq.train import evaluate as evaluation
from spikeseq.train import inputs
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule
from spikeseq.train.start import start_model
from spikeseq.train.tasks import Classify


def script(monkeypatch, accuracies):
    """Validation hits per epoch as given (per 100); returns the weights of each epoch and a list of events."""
    weights, events = [], []
    end = ClassifierModule.on_validation_epoch_end

    def scripted(self):
        self.meter.hits, self.meter.rows = accuracies[self.current_epoch], 100
        weights.append(copy.deepcopy(self.model.state_dict()))
        events.append("epoch")
        end(self)

    monkeypatch.setattr(ClassifierModule, "on_validation_epoch_end", scripted)
    return weights, events


def same(one, other):
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("cell", ["torch_lstm", "quantized_lstm", "gated_current"])
def test_the_same_seed_gives_the_same_record_bit_for_bit(tiny, tmp_path, cell):
    changes = {"model.cell": cell, "model.dropout": 0.2, "train.epochs": 2}
    runs = [fit(tiny({**changes, "seed": seed}), tmp_path / str(k), progress=False) for k, seed in enumerate((3, 3, 4))]
    one, again, other = ({k: v for k, v in run.record.metrics.items() if k != "train_seconds"} for run in runs)
    weights = [run.model.state_dict() for run in runs]
    assert one == again
    assert same(weights[0], weights[1])
    assert one["history"] != other["history"]
    assert not same(weights[0], weights[2])


def test_record_and_files(tiny, tmp_path):
    recipe = tiny({"seed": 3, "train.epochs": 2})
    run = fit(recipe, tmp_path / "a" / "run", progress=False)
    folder = tmp_path / "a" / "run"
    assert run.folder == folder
    record = read_record(folder / "record.json")
    assert record == run.record
    assert (record.kind, record.name, record.seed) == ("train", "tiny/test", 3)
    assert record.config == json.loads(json.dumps(recipe.to_dict()))
    assert {"torch", "python"} <= {key.lower() for key in record.versions}
    metrics = record.metrics
    assert metrics["parameters"] == 4 * 8 * (8 + 8 + 2) + 8 * 10 + 10
    assert metrics["epochs"] == 2
    assert [row["epoch"] for row in metrics["history"]] == [0, 1]
    assert metrics["valid_accuracy"] == max(row["valid_accuracy"] for row in metrics["history"])
    assert metrics["history"][1]["train_loss"] < metrics["history"][0]["train_loss"]
    assert 0 < metrics["train_seconds"] <= record.seconds + 1e-9
    assert "spike_rate" not in metrics

    model, settings, notes = load_model(folder / "model.pt")
    assert settings == recipe.model
    assert notes["recipe"] == recipe.to_dict()
    assert notes["valid_accuracy"] == metrics["valid_accuracy"]
    assert (notes["classes"], "decibels" in notes) == ([str(k) for k in range(10)], False)
    assert same(model.state_dict(), run.model.state_dict())

    with open(folder / "logs" / "version_0" / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["valid_accuracy"]]
    found = [float(row["valid_accuracy"]) for row in rows]
    assert found == pytest.approx([row["valid_accuracy"] for row in metrics["history"]])
    assert list((folder / "tensorboard").rglob("events*"))


def test_a_model_of_log_mel_keeps_how_they_were_scaled(tiny, stub_data, monkeypatch, tmp_path):
    scale = Decibels(torch.arange(8.0), torch.full((8,), 2.0), -70.0)
    made = dataclasses.replace(stub_data(), decibels=scale)
    monkeypatch.setattr("spikeseq.data.load", lambda name, **options: made)
    fit(tiny({"train.epochs": 1}), tmp_path / "run", progress=False)
    notes = load_model(tmp_path / "run" / "model.pt")[2]
    assert notes["decibels"] == {"mean": [float(k) for k in range(8)], "std": [2.0] * 8, "floor": -70.0}


def test_metrics_are_those_of_the_saved_model(tiny, tmp_path):
    """Accuracy worked out here, row by row, from model.pt and the data."""
    from spikeseq import data

    record = fit(tiny({"train.epochs": 3}), tmp_path / "run", progress=False).record
    model, _, _ = load_model(tmp_path / "run" / "model.pt")
    digits = data.load("digits")
    with torch.no_grad():
        for split, name in ((digits.test, "test_accuracy"), (digits.valid, "valid_accuracy")):
            hits = sum(int(model(x[None]).argmax()) == int(y) for x, y in zip(split.x, split.y, strict=True))
            assert record.metrics[name] == pytest.approx(hits / len(split.y)), name


def test_metrics_of_a_quantised_model(tiny, tmp_path):
    recipe = tiny({"model.cell": "quantized_lstm", "model.options": {"time_steps": 2}})
    metrics = fit(recipe, tmp_path / "run", progress=False).record.metrics
    for name in ("test_accuracy", "quantized_accuracy", "unit_spike_accuracy", "spike_rate"):
        assert 0 < metrics[name] < 1, name
    assert metrics["test_accuracy"] == pytest.approx(metrics["quantized_accuracy"], abs=0.01)


@pytest.mark.parametrize(("accuracies", "best"), [([30, 80, 50], 1), ([80, 30, 50], 0), ([30, 80, 80], 1)])
def test_the_best_epoch_is_kept(tiny, stub_data, monkeypatch, tmp_path, accuracies, best):
    stub_data()
    weights, _ = script(monkeypatch, accuracies)
    run = fit(tiny({"train.epochs": 3}), tmp_path / "run", progress=False)
    assert not same(weights[best], weights[2]) or best == 2
    saved = load_model(tmp_path / "run" / "model.pt")[0].state_dict()
    assert same(saved, weights[best])
    assert same(run.model.state_dict(), weights[best])
    assert run.record.metrics["best_epoch"] == best
    assert run.record.metrics["valid_accuracy"] == max(accuracies) / 100


@pytest.mark.parametrize(("patience", "epochs"), [(2, 4), (1, 3), (0, 6)])
def test_early_stopping(tiny, stub_data, monkeypatch, tmp_path, patience, epochs):
    stub_data()
    script(monkeypatch, [40, 60, 60, 50, 55, 60])
    run = fit(tiny({"train.epochs": 6, "train.patience": patience}), tmp_path / "run", progress=False)
    assert run.record.metrics["epochs"] == epochs
    assert run.record.metrics["best_epoch"] == 1


@pytest.mark.parametrize(("cell", "times"), [("torch_lstm", 1), ("spiking_lstm", 1), ("quantized_lstm", 3)])
def test_the_test_split_is_read_once_and_last(tiny, stub_data, monkeypatch, tmp_path, cell, times):
    """A quantised model is read once in each of its three forms."""
    made = stub_data()
    _, events = script(monkeypatch, [10, 20])
    for module in (inputs, evaluation):
        read = module.eval_batches

        def watched(split, *args, read=read, **options):
            events.append(next(n for n in ("train", "valid", "test") if getattr(made, n) is split))
            return read(split, *args, **options)

        monkeypatch.setattr(module, "eval_batches", watched)
    fit(tiny({"model.cell": cell}), tmp_path / "run", progress=False)
    assert events == ["valid", "epoch", "epoch", *["test"] * times]


def test_the_test_labels_change_nothing_but_the_test_metrics(tiny, stub_data, tmp_path):
    made = stub_data()
    results = []
    for name in ("a", "b"):
        run = fit(tiny(), tmp_path / name, progress=False)
        results.append((run.record.metrics["history"], run.model.state_dict()))
        made.test.y.add_(1).remainder_(10)
    assert results[0][0] == results[1][0]
    assert same(results[0][1], results[1][1])


def test_seeds(tiny, stub_data, tmp_path):
    stub_data()
    runs = [
        fit(tiny({"seed": seed, "model.dropout": 0.3}), tmp_path / str(n), progress=False).model.state_dict()
        for n, seed in enumerate((0, 0, 1))
    ]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_the_spike_penalty_lowers_the_spike_rate(tiny, tmp_path):
    found = []
    for penalty in (0.0, 1.0):
        recipe = tiny(
            {
                "model.cell": "quantized_lstm", "model.hidden_size": 16, "train.epochs": 5,
                "train.spike_penalty": penalty, "train.learning_rate": 0.02,
            }
        )  # fmt: skip
        found.append(fit(recipe, tmp_path / str(penalty), progress=False).record.metrics["spike_rate"])
    assert 0 < found[1] < 0.8 * found[0]


@pytest.fixture
def source(tiny, stub_data, tmp_path):
    """A float model file in runs/seed0."""
    made = stub_data()
    torch.manual_seed(5)
    settings = ModelSettings("torch_lstm", 8)
    model = settings.build(8, 10)
    save_model(tmp_path / "runs" / "seed0" / "model.pt", model, settings, (8, 10), {})
    return made, model


@pytest.mark.parametrize("cell", ["torch_lstm", "hard_lstm", "quantized_lstm", "spiking_lstm", "stream_lstm"])
def test_start_from(tiny, source, tmp_path, cell):
    _, model = source
    recipe = tiny({"model.cell": cell, "train.start_from": "runs/seed{seed}/model.pt", "train.learning_rate": 1e-12})
    started = fit(recipe, tmp_path / "run", progress=False).model
    for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "readout.weight"):
        torch.testing.assert_close(started.state_dict()[name], model.state_dict()[name])
    if cell != "torch_lstm":  # ranges were calibrated, not left at 4
        assert started.rnn.threshold_l0.std() > 0


def test_start_from_what_does_not_fit(tiny, source, tmp_path):
    def start(**changes):
        recipe = tiny({"train.start_from": "runs/seed{seed}/model.pt", **changes})
        fit(recipe, tmp_path / "run", progress=False)

    with pytest.raises(CheckpointError, match=r"seed0/model.pt' belongs to another architecture.*weight_ih_l0"):
        start(**{"model.hidden_size": 9})
    with pytest.raises(CheckpointError, match=r"seed0/model.pt' belongs to another architecture"):
        start(**{"model.hidden_size": 9, "model.cell": "quantized_lstm"})
    with pytest.raises(CheckpointError, match=r"seed4/model.pt' does not exist"):
        start(seed=4)
    with pytest.raises(ConfigError, match=r"start_from: .*cannot be converted to cell='torch_lstm'.*hard_lstm"):
        start(**{"model.num_layers": 2})
    assert not (tmp_path / "run" / "model.pt").exists()


def test_a_teacher_teaches(tiny, source, tmp_path):
    """With weight 1 the labels say nothing: the student comes nearer to the teacher's answers."""
    made, teacher = source
    teacher.readout.weight.data.mul_(20)
    save_model("runs/seed0/model.pt", teacher, ModelSettings("torch_lstm", 8), (8, 10), {})
    recipe = tiny(
        {
            "train.teacher": "runs/seed{seed}/model.pt", "train.distillation": 1.0, "train.epochs": 40,
            "train.learning_rate": 0.03,
        }
    )  # fmt: skip
    run = fit(recipe, tmp_path / "run", progress=False)
    with torch.no_grad():
        answers = teacher.eval()(made.train.x).argmax(-1)
        agreement = (run.model.eval()(made.train.x).argmax(-1) == answers).float().mean()
    losses = [row["train_loss"] for row in run.record.metrics["history"]]
    assert losses[-1] < 0.5 * losses[0]
    assert len(answers.unique()) > 1
    assert agreement > (made.train.y == answers).float().mean()


@pytest.mark.parametrize(
    ("settings", "sizes", "notes", "words"),
    [
        ({}, (9, 10), {}, r"has as input size: 9; this recipe's data and model: 8"),
        ({}, (8, 11), {}, r"has as number of classes: 11; this recipe's data and model: 10"),
        ({"network": "text", "cell": "lstm"}, (8, 10), {}, r"takes: tokens; this recipe's data and model: vectors"),
        ({"output": "frames"}, (8, 10), {}, r"gives an output for each: frame; .*: sequence"),
        ({"network": "pictures", "cell": "relu"}, (8, 10, (2, 4, 4)), {}, r"has as shape of a picture: \(2, 4, 4\)"),
        ({}, (8, 10), {"classes": [*"0123456798"]}, "was trained with other classes"),
    ],
)
def test_a_teacher_of_something_else(tiny, stub_data, settings, sizes, notes, words):
    stub_data()
    made = ModelSettings(**{"cell": "torch_lstm", "hidden_size": 8, **settings})
    save_model("teacher.pt", made.build(*sizes), made, sizes, notes)
    recipe = tiny({"train.teacher": "teacher.pt", "train.distillation": 0.5})
    with pytest.raises(ConfigError, match=rf"train\.teacher='teacher\.pt' {words}.*Name a model"):
        fit(recipe, "run", progress=False)


def test_a_teacher_goes_where_the_student_goes(tiny):
    """To a device: the fake one of torch stands for a GPU."""
    student, teacher = SequenceClassifier(8, 8, 10), SequenceClassifier(8, 6, 10)
    module = ClassifierModule(student, tiny().train, 0, teacher).to("meta")
    module.on_fit_start()
    assert {p.device.type for p in teacher.parameters()} == {"meta"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.cell": "lstmm"}, "cell='lstmm': did you mean 'lstm'"),
        ({"model.cell": "quantized_lstm", "model.options": {"time_steps": 3}}, "time_steps=3"),
        ({"model.cell": "quantized_lstm", "model.options": {"time_stps": 2}}, "time_stps.*did you mean 'time_steps'"),
        ({"model.options": {"time_steps": 2}}, "time_steps"),
        ({"model.hidden_size": 0, "model.cell": "lstm"}, "hidden_size=0"),
        ({"model.hidden_size": 0}, "hidden_size=0"),
        ({"model.dropout": 1.5}, "dropout=1.5"),
        ({"data.name": "digit"}, "'digit'; did you mean 'digits'"),
        ({"data.options": {"ordr": "rows"}}, "no option 'ordr'; did you mean 'order'"),
        ({"data.options": {"order": "columns"}}, "order='columns'"),
        ({"data.options": {"order": "pixels"}, "data.shift_augmentation": 1}, "shift_augmentation"),
    ],
)
def test_a_recipe_that_cannot_be_built_leaves_nothing(tiny, tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        fit(tiny(changes), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "model.pt").exists()


def test_evaluation_mode_after_training(tiny, stub_data, tmp_path):
    stub_data()
    model = fit(tiny({"model.dropout": 0.5}), tmp_path / "run", progress=False).model
    assert isinstance(model, SequenceClassifier)
    x = torch.rand(3, 8, 8)
    assert torch.equal(model(x), model(x))


def test_a_start_with_another_input_code_is_refused(tiny, stub_data):
    """Parameters of the same names would be loaded as they are, with steps that belong to the other code."""
    stub_data()
    model = {"model.cell": "quantized_lstm", "train.epochs": 1}
    source = fit(tiny({**model, "model.options": {"input_encoding": "int8"}}), "source", progress=False).folder
    start = {**model, "train.start_from": str(source / "model.pt")}
    with pytest.raises(
        ConversionError, match=r"trained with input_encoding='int8' \(127 levels\), the config says 'delta'"
    ):
        fit(tiny({**start, "model.options": {"input_encoding": "delta"}}), "other", progress=False)
    assert fit(tiny({**start, "model.options": {"input_encoding": "int8"}}), "same", progress=False).record.metrics


@pytest.mark.parametrize(("share", "first"), [(0.0, 0), (0.5, 2), (0.7, 2), (0.75, 3), (0.99, 3)])
def test_the_epoch_is_chosen_among_those_that_may_be(tiny, stub_data, tmp_path, monkeypatch, share, first):
    stub_data()
    end = ClassifierModule.on_validation_epoch_end

    def worse_and_worse(self):
        self.meter.hits, self.meter.rows = 90 - self.current_epoch, 100
        end(self)

    monkeypatch.setattr(ClassifierModule, "on_validation_epoch_end", worse_and_worse)
    run = fit(tiny({"train.epochs": 4, "train.select_from": share}), tmp_path / "run", progress=False)
    assert run.record.metrics["best_epoch"] == first
    assert run.record.metrics["valid_accuracy"] == pytest.approx((90 - first) / 100)
    kept = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    assert kept["epoch"] == first


def test_an_encoded_input_takes_its_steps_from_the_training_data(tiny, tmp_path):
    """Without a source to convert: features beyond 1 are not clipped."""
    recipe = tiny({"model.cell": "quantized_lstm", "model.options": {"input_encoding": "delta", "input_levels": 8}})
    data = inputs.data_sets.load("digits", **recipe.data.options)
    wide = dataclasses.replace(data, train=data.train._replace(x=data.train.x * 5))
    model = start_model(recipe, wide)
    largest = wide.train.x.abs().amax((0, 1))
    assert torch.allclose(model.rnn.input_step_l0, torch.where(largest > 0, largest, largest.max()) / 8)


@pytest.mark.parametrize("cell", ["spiking_lstm", "torch_lstm", "torch_gru"])
def test_bfloat16_keeps_weights_and_spikes_whole(tiny, stub_data, monkeypatch, cell):
    stub_data()
    logits, task = [], Classify.logits

    def seen(self, model, batch):
        out = task(self, model, batch)
        logits.append(out.dtype)
        return out

    monkeypatch.setattr(Classify, "logits", seen)
    changes = {"model.cell": "spiking_lstm", "model.options": {"time_steps": 4}, "trainer.precision": "bf16-mixed"}
    if cell != "spiking_lstm":  # torch's own, which not every processor has in bfloat16
        del changes["model.options"]
    run = fit(tiny({**changes, "model.cell": cell}), "run", progress=False)
    assert logits[0] == torch.bfloat16  # the readout, in training
    assert logits[-1] == torch.float32  # in the final test
    assert all(value.dtype == torch.float32 for value in run.model.state_dict().values())
    losses = [row["train_loss"] for row in run.record.metrics["history"]]
    assert losses[-1] < losses[0]
