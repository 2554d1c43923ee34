"""Translation end to end: eight pairs learned by heart from files, then BLEU 100, a model file that needs no data, a record."""

import gzip

import pytest
import torch

from spikeseq.data import multi30k, sources
from spikeseq.data.sources import DataFile
from spikeseq.data.text.tokenizer import Tokenizer
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.translation import greedy
from spikeseq.train.fit import fit
from spikeseq.train.recipe import make_recipe

GERMAN = [
    "Ein Hund rennt.", "Zwei Hunde rennen.", "Eine Katze schläft im Haus.", "Ein Mann liest ein Buch.",
    "Eine Frau sieht zwei Hunde.", "Zwei Männer sehen eine Katze.", "Ein Hund schläft.", "Eine Frau liest im Haus.",
]  # fmt: skip
ENGLISH = [
    "A dog runs.", "Two dogs run.", "A cat sleeps in the house.", "A man reads a book.",
    "A woman sees two dogs.", "Two men see a cat.", "A dog sleeps.", "A woman reads in the house.",
]  # fmt: skip
RECIPE = {
    "name": "tiny/translation", "task": "translate", "beam_width": 3,
    "data": {"name": "multi30k", "options": {"vocabulary": 120}, "batch_size": 2},
    "model": {
        "network": "translation", "cell": "lif", "hidden_size": 48, "num_layers": 1,
        "options": {"leak": 0.5, "surrogate": "arctan"}, "translation": {"embedding_size": 32, "positions": 24},
    },
    "train": {"epochs": 30, "learning_rate": 0.01, "warmup": 0.1, "compile": "never", "select_from": 0.9},
}  # fmt: skip


@pytest.fixture
def eight(tmp_path, monkeypatch):
    """The eight pairs as all three splits of Multi30k."""
    folder = tmp_path / "multi30k"
    folder.mkdir()
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    files = {}
    for part, language in multi30k.FILES:
        name = f"{part}.{language}.gz"
        lines = GERMAN if language == "de" else ENGLISH
        (folder / name).write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
        files[part, language] = DataFile("multi30k", name, None)
    monkeypatch.setattr(multi30k, "FILES", files)
    return tmp_path


def recipe(cell="lif", attention="softmax", **changes):
    model = {**RECIPE["model"], "cell": cell, "translation": {**RECIPE["model"]["translation"], "attention": attention}}
    if "lif" not in cell:
        model["options"] = {}
    return make_recipe({**RECIPE, "model": model, **changes})


@pytest.mark.parametrize(
    ("cell", "attention"), [("lif", "softmax"), ("lif", "shift"), ("glu", "softmax"), ("lstm", "softmax")]
)
def test_eight_pairs_are_learned_by_heart(eight, cell, attention):
    torch.manual_seed(0)
    run = fit(recipe(cell, attention), eight / "run", progress=False)
    found = run.record.metrics
    assert found["test_bleu"] == pytest.approx(100)
    assert found["test_bleu_greedy"] == pytest.approx(100)
    assert "case:lc" in found["bleu_signature"]
    assert found["test_token_accuracy"] == 1
    assert found["valid_loss"] < 0.5
    assert (found["acs_per_sentence"] > 0) == ("lif" in cell)
    assert (found["attention_macs_per_sentence"] > 0) == (attention == "softmax")

    model, _, notes = load_model(eight / "run" / "model.pt")
    tokenizer = Tokenizer.from_json(notes["tokenizer"])
    tokens = torch.tensor([[*tokenizer.encode(["Eine Frau liest im Haus."])[0].tolist(), 3]])
    assert tokenizer.decode(greedy(model, tokens, torch.tensor([tokens.shape[1]]))[0]) == "a woman reads in the house."


def test_recipes_that_cannot_work_are_refused(eight):
    with pytest.raises(ConfigError, match=r"set model\.network: translation"):
        make_recipe({**RECIPE, "model": {"cell": "lif"}})
    with pytest.raises(ConfigError, match=r"set model\.network: layers"):
        make_recipe({**RECIPE, "task": "frames"})
    with pytest.raises(ConfigError, match="use task: translate"):
        fit(make_recipe({"name": "a/b", "data": {"name": "multi30k"}}), eight / "a", progress=False)
    with pytest.raises(ConfigError, match=r"train\.length_curriculum with task: translate"):
        fit(recipe(train={"epochs": 1, "length_curriculum": [2]}), eight / "b", progress=False)
