"""``spikeseq predict`` and ``spikeseq energy`` with networks for texts and pictures, from a model file alone."""

from __future__ import annotations

import io
import types

import pytest
import torch
from matplotlib.image import imread

from spikeseq import energy
from spikeseq.data import SequenceData, Split, TextData, registry
from spikeseq.data.text.texts import to_texts
from spikeseq.data.text.tokenizer import train_tokenizer
from spikeseq.nn.checkpoint import ModelSettings, Sizes, load_model, save_model
from spikeseq.nn.settings import PictureSettings, TextSettings
from spikeseq.nn.verdict import verdict_of

TEXTS = ["a good film", "a bad film of the year", "bad", "the year of the good"]
RECIPE = {
    "name": "imdb/tiny", "task": "text", "data": {"name": "imdb", "options": {"max_length": 5, "keep": "end"}},
    "model": {"network": "text"}, "seed": 0,
}  # fmt: skip


@pytest.fixture
def model_file(tmp_path):
    """A function: cell -> a model file for texts with its tokenizer, whose weights are large enough to spike."""
    pytest.importorskip("tokenizers")
    tokenizer = train_tokenizer(TEXTS, 50)

    def make(cell="lif", **options):
        torch.manual_seed(3)
        settings = ModelSettings(
            cell, 6, 2 if cell == "lif" else 1, network="text", text=TextSettings(embedding_size=5), options=options
        )
        model = settings.build(len(tokenizer), 2)
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "weight" in name:
                    p.mul_(3)
        notes = {"recipe": RECIPE, "classes": ["neg", "pos"], "tokenizer": tokenizer.to_json()}
        return save_model(tmp_path / f"{cell}.pt", model, settings, (len(tokenizer), 2), notes), tokenizer

    return make


def test_the_verdict_is_that_of_the_model(spikeseq, model_file):
    path, tokenizer = model_file()
    ran = spikeseq("predict", path, "a Good film, of 1999", "--plot", "p.png")
    assert (ran.code, ran.err) == (0, "")
    model = load_model(path)[0]
    tokens = torch.from_numpy(tokenizer.encode(["a Good film, of 1999"])[0]).long()[-5:]
    probability = model(tokens[None]).softmax(-1)[0]
    name = ("neg", "pos")[int(probability.argmax())]
    assert f"{name}, probability {float(probability.max().detach()):.3f}" in ran.out
    assert "5 tokens, 2 of them not in the vocabulary, 1 left out: longer than in training" in ran.out
    counts = energy.count(model, tokens[None])
    assert (
        f"{counts.acs_per_element:,.0f} additions and {counts.macs_per_element:,.0f} multiplications a token" in ran.out
    )
    sent = int(sum(s.sum() for s in verdict_of(model, tokens).spikes.values()))
    assert sent > 0
    assert f"{sent:,} spikes" in ran.out
    assert imread("p.png").std() > 0.05


def test_without_neurons(spikeseq, model_file):
    ran = spikeseq("predict", model_file("lstm")[0], "a good film", "--plot", "p.png")
    assert ran.code == 0
    assert "0 spikes; 0 additions and " in ran.out


def test_the_running_verdict_and_its_spikes(model_file):
    path, tokenizer = model_file()
    model = load_model(path)[0]
    tokens = torch.from_numpy(tokenizer.encode([TEXTS[1]])[0]).long()
    found = verdict_of(model, tokens)
    assert list(found.spikes) == ["body.2", "body.5"]
    for n in range(len(tokens)):
        torch.testing.assert_close(found.probability[n], model(tokens[None, : n + 1])[0].softmax(-1))
    counts = {c.name: c.spikes for c in energy.count(model, tokens[None]).per_layer}
    assert {name: float(s.sum()) for name, s in found.spikes.items()} == {name: counts[name] for name in found.spikes}


def test_standard_input_and_what_is_no_text(spikeseq, model_file, monkeypatch):
    path, _ = model_file()

    def give(content: bytes):
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))
        return spikeseq("predict", path, "-")

    assert "3 tokens, 0 of them" in give(b"a bad film\n").out
    give(b"caf\xe9").refused("text is no UTF-8", "save it as UTF-8")
    give(b" \n").refused("text is empty: pass at least one word")
    spikeseq("predict", path, "").refused("text is empty")
    spikeseq("predict", path, "caf\udce9").refused("text is no UTF-8")
    assert "1 tokens, 1 of them not in the vocabulary" in spikeseq("predict", path, "\u2603").out


def test_other_model_files(spikeseq, trained, model_file):
    spikeseq("predict", trained / "model.pt", "good").refused(
        "holds SequenceClassifier, which takes no text", "task: text"
    )
    path, _ = model_file()
    model, settings, _ = load_model(path)
    save_model("bare.pt", model, settings, (len(model.embedding.weight), 2), {"recipe": RECIPE})
    spikeseq("predict", "bare.pt", "good").refused("'bare.pt' keeps no tokenizer")
    spikeseq("latency", path).refused("holds TextClassifier, which has no time steps")
    spikeseq("convert", path).refused("classifies text")


def test_energy_of_texts(spikeseq, model_file, monkeypatch):
    path, tokenizer = model_file(dyadic_leak=True)
    split = to_texts(tokenizer.encode(TEXTS), [1, 0, 0, 1])
    data = TextData("imdb", split, split, split, ("neg", "pos"), tokenizer, "made up", "none")
    monkeypatch.setitem(registry._TEXT, "imdb", lambda **options: data)
    monkeypatch.setattr(registry, "options_of", lambda name: {"max_length", "keep"})
    ran = spikeseq("energy", path, "--sequences", "4", "--record", "results")
    assert (ran.code, ran.err) == (0, "")
    for network in ("LSTM", "GRU", "ReLU", "spiking"):
        assert f"│ {network}" in ran.out
    assert "first layer and what runs once for a sequence allowed to multiply: accumulate-only" in ran.out
    model = load_model(path)[0]
    batch = split.batch(range(4))
    found = energy.compare(model, {"tokens": batch.x, "lengths": batch.lengths})
    assert f"spikes for each unit and time step: {found.spike_rate:.3f}" in ran.out
    macs = found.counts["LSTM"].macs_per_element * found.counts["LSTM"].elements
    tokens = int(batch.lengths.sum())
    assert macs == tokens * (24 * (5 + 6) + 18) + 4 * 12  # four rows of the head
    assert found.counts["ReLU"].acs_per_element == 0
    lstm, _ = model_file("lstm")
    spikeseq("energy", lstm).refused("has cell='lstm', which does not spike")


def test_energy_of_pictures(spikeseq, monkeypatch, tmp_path):
    torch.manual_seed(0)
    settings = ModelSettings("lif", 6, network="pictures", pictures=PictureSettings([3]), options={"dyadic_leak": True})
    model = settings.build(32, 3, (2, 4, 4))
    notes = {"recipe": {"name": "nmnist/tiny", "data": {"name": "nmnist"}, "seed": 0}}
    path = save_model(tmp_path / "p.pt", model, settings, Sizes(32, 3, (2, 4, 4)), notes)
    split = Split((torch.rand(6, 4, 32) > 0.5).float(), torch.tensor([0, 1, 2, 0, 1, 2]))
    data = SequenceData("nmnist", split, split, split, tuple("abc"), "made up", "none", element_shape=(2, 4, 4))
    monkeypatch.setitem(registry._LOADERS, "nmnist", lambda: data)
    ran = spikeseq("energy", path, "--sequences", "6")
    assert (ran.code, ran.err) == (0, "")
    assert "allowed to multiply: accumulate-only" in ran.out
    assert "cap set by the first layer (MACs of the LSTM / MACs left): none" in ran.out  # binary frames: it only adds
