"""Networks for texts and for pictures, from the recipe to the model file and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.conversion import init_thresholds
from spikeseq.data import Split
from spikeseq.data.text.tokenizer import Tokenizer
from spikeseq.errors import CheckpointError, ConfigError, DataError
from spikeseq.nn.checkpoint import ModelSettings, load_model, load_sequence_model, read_content
from spikeseq.nn.neurons import Neurons
from spikeseq.train.batches import image_shifter, shift_pictures
from spikeseq.train.fit import fit
from spikeseq.train.inputs import calibration_batches
from spikeseq.train.module import ClassifierModule
from spikeseq.train.start import start_model

TEXT: dict[str, Any] = {
    "task": "text", "data.name": "imdb", "data.batch_size": 8, "model.network": "text", "model.cell": "lif",
    "model.hidden_size": 16, "model.num_layers": 2, "model.text": {"embedding_size": 12, "embedding_dropout": 0.1},
    "train.epochs": 6, "train.learning_rate": 0.02, "train.first_thresholds": {"percentile": 99.0, "scale": 0.3},
}  # fmt: skip
PICTURES: dict[str, Any] = {
    "data.name": "nmnist", "data.batch_size": 8, "data.shift_augmentation": 1, "model.network": "pictures",
    "model.cell": "lif", "model.hidden_size": 8, "model.pictures": {"channels": [3, 4]}, "train.epochs": 1,
    "train.first_thresholds": {"percentile": 99.0, "scale": 0.3},
}  # fmt: skip
GATED = {"model.cell": "lstm", "model.num_layers": 1, "train.first_thresholds": {}}


@pytest.mark.parametrize("changes", [{}, GATED], ids=["lif", "lstm"])
def test_texts_are_learned(tiny, stub_texts, changes) -> None:
    data = stub_texts()
    recipe = tiny({**TEXT, **changes})
    run = fit(recipe, "run", progress=False)
    m = run.record.metrics
    assert m["test_accuracy"] > 0.9
    batch = data.test.batch(range(len(data.test)))
    model, settings, notes = load_model("run/model.pt")
    assert isinstance(model, snn.TextClassifier)
    assert settings == recipe.model
    hits = (model(batch.x, batch.lengths).argmax(-1) == batch.y).double().mean()
    assert float(hits) == pytest.approx(m["test_accuracy"])
    assert notes["classes"] == ["neg", "pos"]
    tokenizer = Tokenizer.from_json(notes["tokenizer"])
    assert tokenizer.words == data.tokenizer.words
    assert m["macs_per_element"] > 0
    assert ("spike_rate" in m) == (recipe.model.cell == "lif")
    with pytest.raises(ConfigError, match="classifies text: pass a model file of recurrent layers"):
        load_sequence_model("run/model.pt")


def test_training_on_texts_resumes_bit_for_bit(tiny, stub_texts, monkeypatch) -> None:
    stub_texts()
    recipe = tiny({**TEXT, "train.epochs": 3})
    fit(recipe, "whole", progress=False)
    step = ClassifierModule.training_step

    def stopping(self, batch, index):
        if (self.current_epoch, index) == (2, 1):
            raise RuntimeError("power cut")
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(ClassifierModule, "training_step", stopping)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(recipe, "cut", progress=False)
    fit(recipe, "cut", resume=True, progress=False)
    one, other = (load_model(f"{folder}/model.pt")[0].state_dict() for folder in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_pictures(tiny, stub_pictures) -> None:
    data = stub_pictures()
    recipe = tiny(PICTURES)
    m = fit(recipe, "run", progress=False).record.metrics
    assert 0 < m["spike_rate"] < 1
    model, settings, _ = load_model("run/model.pt")  # without the data
    assert isinstance(model, snn.PictureClassifier)
    assert (settings, model.element_shape) == (recipe.model, (2, 8, 8))
    assert model(data.test.x).shape == (8, 10)


@pytest.mark.parametrize("cell", ["lstm", "quantized_lstm"])
def test_gated_pictures(tiny, stub_pictures, cell) -> None:
    stub_pictures()
    changes = {**PICTURES, **GATED, "model.cell": cell, "train.forget_bias": 1.0, "train.target_spike_rate": 0.0}
    m = fit(tiny(changes), "run", progress=False).record.metrics
    assert ("quantized_accuracy" in m) == ("spike_rate" in m) == (cell == "quantized_lstm")


def test_first_thresholds_are_those_of_the_data(tiny, stub_texts) -> None:
    data = stub_texts()
    torch.manual_seed(5)
    model = start_model(tiny(TEXT), data)
    torch.manual_seed(5)
    plain = start_model(tiny({**TEXT, "train.first_thresholds": {}}), data)
    assert all(m.threshold.detach() == 1 for m in plain.modules() if isinstance(m, Neurons))
    found = init_thresholds(plain, calibration_batches(data), 99.0, 0.3)
    own = [m.threshold.detach() for m in model.modules() if isinstance(m, Neurons)]
    assert all(torch.equal(one, other) for one, other in zip(own, found.values(), strict=True))
    assert len(own) == len(found) == 2


@pytest.mark.parametrize(("changes", "stub"), [(TEXT, "stub_texts"), (PICTURES, "stub_pictures")])
def test_a_relu_network_gives_its_weights_to_a_spiking_one(tiny, request, changes, stub) -> None:
    data = request.getfixturevalue(stub)()
    relu = {"model.cell": "relu", "train.first_thresholds": {}, "train.epochs": 1}
    source = fit(tiny({**changes, **relu}), "relu/seed0", progress=False).model
    model = start_model(tiny({**changes, "train.start_from": "relu/seed{seed}/model.pt"}), data)
    neurons = {p for m in model.modules() if isinstance(m, Neurons) for p in m.parameters()}
    weights = [p for p in model.parameters() if p not in neurons]
    assert neurons
    assert len(weights) == len(list(source.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(weights, source.parameters(), strict=True))
    with pytest.raises(CheckpointError, match="its weights have other shapes than this recipe's"):
        start_model(tiny({**changes, "train.start_from": "relu/seed0/model.pt", "model.hidden_size": 6}), data)


def test_word_vectors(tiny, stub_texts, tmp_path) -> None:
    data = stub_texts()
    path = tmp_path / "vectors.txt"
    path.write_text("good " + " ".join(["2.0"] * 12) + "\nelsewhere " + " ".join(["1.0"] * 12) + "\n")
    torch.manual_seed(5)
    model = start_model(tiny({**TEXT, "train.word_vectors": str(path)}), data)
    torch.manual_seed(5)
    plain = start_model(tiny(TEXT), data)
    same = (model.embedding.weight == plain.embedding.weight).all(1)
    assert [word for word, kept in zip(data.tokenizer.words, same, strict=True) if not kept] == ["good"]
    assert (model.embedding.weight[data.tokenizer.words.index("good")] == 2).all()
    path.write_text("nothing 1 2\n")
    with pytest.raises(DataError, match="2 numbers, the embedding has 12"):
        start_model(tiny({**TEXT, "train.word_vectors": str(path)}), data)


def test_a_spike_rate_can_be_trained_to(tiny, stub_texts) -> None:
    stub_texts()
    free = fit(tiny(TEXT), "free", progress=False).record.metrics["spike_rate"]
    held = fit(tiny({**TEXT, "train.spike_penalty": 3.0}), "held", progress=False).record.metrics["spike_rate"]
    assert held < 0.8 * free


def test_files_from_before_there_were_networks() -> None:
    settings = ModelSettings("gru", 4)
    from spikeseq.nn.checkpoint import save_model

    path = save_model("model.pt", settings.build(3, 5), settings, (3, 5), {})
    content = read_content(path)
    for name in ("network", "text", "pictures"):
        del content["settings"][name]
    assert content["sizes"] == [3, 5]
    torch.save(content, path)
    assert load_model(path)[1] == settings


def test_pictures_of_a_sequence_move_together() -> None:
    x = torch.zeros(300, 3, 2, 7, 7)
    x[:, :, :, 3, 3] = torch.arange(1, 7).view(3, 2).float()
    flat = x.flatten(2)
    moved = shift_pictures(flat, (2, 7, 7), 2, torch.Generator().manual_seed(0)).view_as(x)
    places = moved.nonzero()
    assert len(places) == 300 * 6
    by_row = places[:, 3:].view(300, 6, 2)
    assert (by_row == by_row[:, :1]).all()
    assert set(map(tuple, (by_row[:, 0] - 3).tolist())) == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}
    assert torch.equal(moved.amax((3, 4)), x.amax((3, 4)))
    edge = torch.ones(50, 1, 1, 3, 3)
    shifted = shift_pictures(edge.flatten(2), (1, 3, 3), 1, torch.Generator().manual_seed(0))
    assert set(shifted.sum((1, 2)).tolist()) == {9.0, 6.0, 4.0}  # what comes in is 0
    assert image_shifter(Split(flat, torch.zeros(300)), 0, (2, 7, 7)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.network": "text"}, "model.network='text' with task: classify; set model.network: layers or pictures"),
        ({"task": "text"}, "model.network='layers' with task: text; set model.network: text"),
        ({**PICTURES, "task": "text"}, "model.network='pictures' with task: text"),
        ({**TEXT, "model.pooling": "mean"}, "model.pooling='mean' with model.network='text'"),
        ({**TEXT, "model.bidirectional": True}, "model.bidirectional=True with model.network='text'"),
        ({**TEXT, "model.cell": "lstm"}, "model.num_layers=2 with model.network='text', cell='lstm': set it to 1"),
        ({**TEXT, "model.cell": "lstn"}, "cell='lstn': did you mean 'lstm'"),
        ({**TEXT, **GATED, "train.first_thresholds.percentile": 99.7}, "has no LIF or IF layer"),
        ({**TEXT, "train.forget_bias": 1.0}, "train.forget_bias=1.0: the model has no recurrent layer"),
        ({**TEXT, "data.shift_augmentation": 1}, "are not for texts"),
        ({"train.first_thresholds.percentile": 120.0}, "train.first_thresholds.percentile=120.0: pass 0"),
        ({"train.first_thresholds.percentile": 99.0}, "has no LIF or IF neurons; leave it out"),
        ({"train.word_vectors": "glove.txt"}, "train.word_vectors='glove.txt' with model.network='layers'"),
        ({"model.network": "pictures"}, "model.network='pictures': the elements of this data are vectors"),
    ],
)
def test_what_cannot_be(tiny, stub_texts, changes, words) -> None:
    stub_texts()
    if "model.num_layers" in changes and changes.get("model.cell") == "lstn":
        changes = {**changes, "model.num_layers": 1}
    with pytest.raises(ConfigError) as caught:
        fit(tiny(changes), "run", progress=False)
    assert words in str(caught.value)


def test_data_of_another_kind_is_named(tiny) -> None:
    recipe = tiny(TEXT)
    digits = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, name="digits"))
    with pytest.raises(ConfigError, match=r"data set 'digits' holds sequences of one class.*use task: classify"):
        fit(digits, "run", progress=False)
    with pytest.raises(ConfigError, match=r"data set 'imdb' holds texts.*use task: text"):
        fit(tiny({"data.name": "imdb"}), "run", progress=False)
