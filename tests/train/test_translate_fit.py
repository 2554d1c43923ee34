"""Translation end to end: eight pairs learned by heart from files, then BLEU 100, a model file that needs no data, a record."""

import dataclasses
import gzip
from pathlib import Path

import pytest
import torch

from spikeseq.cli.main import main
from spikeseq.data import multi30k, sources
from spikeseq.data.sources import DataFile
from spikeseq.data.text.tokenizer import Tokenizer
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.translation import greedy
from spikeseq.train.fit import fit
from spikeseq.train.recipe import make_recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes" / "multi30k"

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
    "data": {"name": "multi30k", "options": {"vocabulary": 400}, "batch_size": 4},
    "model": {
        "network": "translation", "cell": "lif", "hidden_size": 64, "num_layers": 1,
        "options": {"leak": 0.5, "surrogate": "arctan"}, "translation": {"embedding_size": 48, "positions": 24},
    },
    "train": {"epochs": 12, "learning_rate": 0.01, "warmup": 0.05, "compile": "never", "select_from": 0.9},
}  # fmt: skip


@pytest.fixture
def eight(tmp_path, monkeypatch):
    """The eight pairs as all three splits of Multi30k; train has each four times."""
    folder = tmp_path / "multi30k"
    folder.mkdir()
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    files = {}
    for part, language in multi30k.FILES:
        name = f"{part}.{language}.gz"
        lines = (GERMAN if language == "de" else ENGLISH) * (4 if part == "train" else 1)
        (folder / name).write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
        files[part, language] = DataFile("multi30k", name, None)
    monkeypatch.setattr(multi30k, "FILES", files)
    return tmp_path


def recipe(cell="lif", attention="softmax", **changes):
    model = {**RECIPE["model"], "cell": cell, "translation": {**RECIPE["model"]["translation"], "attention": attention}}
    if cell not in ("lif", "plain_lif"):
        model["options"] = {"levels": 2} if cell == "graded_lif" else {}
    return make_recipe({**RECIPE, "model": model, **changes})


@pytest.mark.parametrize(
    ("cell", "attention", "least"),
    [("lif", "softmax", 99.9), ("lif", "shift", 80), ("graded_lif", "softmax", 99.9), ("lstm", "softmax", 99.9)],
)
def test_eight_pairs_are_learned_by_heart(eight, cell, attention, least):
    torch.manual_seed(0)
    run = fit(recipe(cell, attention), eight / "run", progress=False)
    found = run.record.metrics
    assert found["test_bleu"] >= least
    assert found["test_bleu_greedy"] >= least
    assert "case:lc" in found["bleu_signature"]
    assert found["test_token_accuracy"] >= least / 100
    assert (found["acs_per_sentence"] > 0) == ("lif" in cell)
    assert (found["attention_macs_per_sentence"] > 0) == (attention == "softmax")

    model, _, notes = load_model(eight / "run" / "model.pt")
    tokenizer = Tokenizer.from_json(notes["tokenizer"])
    tokens = torch.tensor([[*tokenizer.encode(["Eine Frau liest im Haus."])[0].tolist(), 3]])
    if attention == "softmax":
        assert (
            tokenizer.decode(greedy(model, tokens, torch.tensor([tokens.shape[1]]))[0]) == "a woman reads in the house."
        )


SMALL = RECIPES.with_name("multi30k_small")


def ready(path, small, folder):
    """The recipe, small, behind what it starts from and is taught by: each trained for a batch."""
    own, starts = read_recipe(path), []
    for key, start in (("start_from", own.train.start_from), ("teacher", own.train.teacher)):
        if start:
            source = path.with_name(f"{Path(start).parts[-3]}.yaml")
            if not (folder / source.stem / "model.pt").exists():
                fit(ready(source, small, folder), folder / source.stem, progress=False)
            starts.append(f"train.{key}={folder / source.stem / 'model.pt'}")
    return read_recipe(path, [*small, *starts])


@pytest.mark.parametrize("path", sorted((*RECIPES.glob("*.yaml"), *SMALL.glob("*.yaml"))), ids=lambda path: path.stem)
def test_every_recipe_is_read_and_run_for_one_batch(eight, path):
    small = ["model.hidden_size=16", "model.translation.embedding_size=16", "data.batch_size=8"]
    small += ["train.epochs=1", "train.compile=never"]
    own, read = read_recipe(path), ready(path, small, eight)
    assert read.name == f"{path.parent.name}/{path.stem}"
    assert path.read_text().startswith("# ")
    run = fit(read, eight / "run", progress=False)
    model, settings, notes = load_model(eight / "run" / "model.pt")
    assert settings == read.model
    assert (len(Tokenizer.from_json(notes["tokenizer"])), notes["languages"]) == (model.vocabulary, ["de", "en"])
    assert all(p.isfinite().all() for p in model.parameters())
    assert run.record.metrics["parameters"] > 0
    graded = own.model.cell in ("graded_lif", "glu")
    spiking = read_recipe(path.with_name("graded.yaml" if graded else "spiking.yaml"))  # and the comparison is fair
    assert (own.data, own.beam_width) == (spiking.data, spiking.beam_width)
    if own.train.teacher:  # trained longer, and says so
        assert own.model.cell in ("lif", "graded_lif", "relu")
        options, translation = spiking.model.options if "lif" in own.model.cell else {}, spiking.model.translation
        if path.stem.endswith("_accumulate"):  # the same network, every product of which is shifts and additions
            options = {**options, "dyadic_leak": True}
            translation = dataclasses.replace(translation, attention="shift")
        like = {"cell": own.model.cell, "options": options, "dropout": own.model.dropout, "translation": translation}
        assert own.model == dataclasses.replace(spiking.model, **like)
        return
    assert own.train == spiking.train
    if own.model.cell in ("relu", "glu", "lif", "graded_lif"):
        cell = spiking.model.cell
        twin = dataclasses.replace(own.model, cell=cell, options={}, translation=spiking.model.translation)
        assert twin == dataclasses.replace(spiking.model, options={})


def test_recipes_that_cannot_work_are_refused(eight):
    with pytest.raises(ConfigError, match=r"set model\.network: translation"):
        make_recipe({**RECIPE, "model": {"cell": "lif"}})
    with pytest.raises(ConfigError, match=r"set model\.network: layers"):
        make_recipe({**RECIPE, "task": "frames"})
    with pytest.raises(ConfigError, match="use task: translate"):
        fit(make_recipe({"name": "a/b", "data": {"name": "multi30k"}}), eight / "a", progress=False)
    with pytest.raises(ConfigError, match=r"train\.length_curriculum with task: translate"):
        fit(recipe(train={"epochs": 1, "length_curriculum": [2]}), eight / "b", progress=False)


def test_it_starts_from_its_trained_twin_and_is_priced_beside_it(eight, capsys):
    quick = {**RECIPE["train"], "epochs": 1, "learning_rate": 1e-12}
    twin = fit(recipe("relu", train={**quick, "learning_rate": 0.01}), eight / "relu", progress=False).model
    start = {"start_from": str(eight / "relu" / "model.pt"), "first_thresholds": {"percentile": 99.0, "scale": 0.5}}
    model = fit(recipe("lif", train={**quick, **start}), eight / "lif", progress=False).model
    theirs, mine = twin.state_dict(), model.state_dict()
    assert torch.allclose(mine["decoder.to_word.weight"], theirs["decoder.to_word.weight"], atol=1e-9)
    thresholds = [v for name, v in mine.items() if name.endswith("threshold")]
    assert len(thresholds) > 4
    assert all((v != 1).any() and (v > 0).all() for v in thresholds)
    capsys.readouterr()
    assert main(["energy", str(eight / "lif" / "model.pt"), "--sequences", "3"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("ReLU", "GLU", "LSTM", "decoder.attention", "not accumulate-only"))
    assert main(["energy", str(eight / "relu" / "model.pt")]) == 2
    assert "cell='relu', which does not spike" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match=r"relu.model\.pt': weights behind graded spikes"):
        fit(recipe("graded_lif", train={**quick, **start}), eight / "graded", progress=False)
    fit(recipe("graded_lif", train=quick), eight / "graded", progress=False)
    back = {"start_from": str(eight / "graded" / "model.pt")}
    with pytest.raises(CheckpointError, match="weights behind graded spikes"):
        fit(recipe("lif", train={**quick, **back}), eight / "back", progress=False)
    other = {**RECIPE["model"], "cell": "lif", "hidden_size": 32}
    with pytest.raises(CheckpointError, match=r"relu.model\.pt': its weights have other shapes"):
        fit(make_recipe({**RECIPE, "model": other, "train": {**quick, **start}}), eight / "other", progress=False)


@pytest.mark.parametrize("cell", ["lif", "lstm"])
def test_bfloat16(eight, cell):
    quick = {**RECIPE["train"], "epochs": 2}
    run = fit(recipe(cell, train=quick, trainer={"precision": "bf16-mixed"}), eight / "run", progress=False)
    losses = [row["train_loss"] for row in run.record.metrics["history"]]
    assert losses[-1] < losses[0]
    assert all(value.dtype == torch.float32 for value in run.model.state_dict().values())
