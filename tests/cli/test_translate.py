"""``spikeseq translate``: the sentence, what it took, the picture; and what it refuses."""

import io

import pytest
import torch

from spikeseq.cli.translate import looked_at
from spikeseq.data.text.tokenizer import train_tokenizer
from spikeseq.nn.checkpoint import ModelSettings, save_model
from spikeseq.nn.settings import TranslationSettings

TEXT = ["a dog runs.", "two dogs run.", "ein hund rennt.", "zwei hunde rennen."]


@pytest.fixture
def checkpoint(tmp_path):
    """A function: cell -> a model file that writes 'dog' whatever it reads, and then ends."""

    def write(cell="lif", **notes):
        torch.manual_seed(0)
        tokenizer = train_tokenizer(TEXT, 60, "bpe", frame=True)
        size = len(tokenizer)
        settings = ModelSettings(
            cell, 16, 1, network="translation", translation=TranslationSettings(embedding_size=8, positions=12)
        )
        model = settings.build(size, size)
        path = tmp_path / f"{cell}.pt"
        save_model(
            path, model, settings, (size, size), {"tokenizer": tokenizer.to_json(), "languages": ["de", "en"], **notes}
        )
        return str(path)

    return write


@pytest.mark.parametrize(("cell", "spikes"), [("lif", True), ("lstm", False)])
def test_it_prints_the_sentence_and_draws_where_it_looked(spikeseq, checkpoint, tmp_path, cell, spikes):
    picture = tmp_path / "attention.png"
    ran = spikeseq("translate", checkpoint(cell), "Ein Hund rennt.", "--plot", str(picture), "--max_length", "4")
    assert (ran.code, ran.err) == (0, "")
    assert ("spikes" in ran.out) == spikes
    assert "multiplications" in ran.out
    assert "looked most at" in ran.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    greedy = spikeseq("translate", checkpoint(cell), "Ein Hund rennt.", "--width", "0", "--max_length", "4")
    assert greedy.code == 0


def test_without_attention_there_is_no_table(spikeseq, checkpoint):
    ran = spikeseq("translate", checkpoint("plain_lif"), "Ein Hund rennt.", "--max_length", "4")
    assert ran.code == 0
    assert "looked most at" not in ran.out


def test_the_token_that_weighs_most_is_named():
    weights = torch.tensor([[0.1, 0.9], [0.7, 0.3]])
    rows, _ = looked_at(weights, ["ein", "hund"], ["dog", "a", "cut off"])
    assert [(row["written"], row["read"], round(row["weight"], 4)) for row in rows] == [
        ("dog", "hund", 0.9),
        ("a", "ein", 0.7),
    ]


def test_standard_input(spikeseq, checkpoint, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Ein Hund rennt.")))
    model = checkpoint()
    piped = spikeseq("translate", model, "-", "--max_length", "4")
    assert (piped.code, piped.out) == (0, spikeseq("translate", model, "Ein Hund rennt.", "--max_length", "4").out)


def test_unknown_symbols_are_said(spikeseq, checkpoint):
    ran = spikeseq("translate", checkpoint(), "Ein 漢 rennt.", "--max_length", "3")
    assert ran.code == 0
    assert "tokens are unknown to the model" in ran.out


def test_what_cannot_be_translated_is_refused(spikeseq, checkpoint, tmp_path, trained):
    spikeseq("translate", checkpoint(), "   ").refused("sentence is empty")
    spikeseq("translate", checkpoint(), "Ein \udcff Hund").refused("sentence is no UTF-8")  # byte 0xff in an argument
    spikeseq("translate", checkpoint(), "hund " * 20).refused("tokens, the model's table of positions has 12")
    spikeseq("translate", checkpoint(), "Hund", "--width=-1").refused("width=-1")
    spikeseq("translate", checkpoint(tokenizer=None), "Hund").refused("holds no tokenizer")
    spikeseq("translate", checkpoint("plain_lif"), "Hund", "--plot", str(tmp_path / "a.png")).refused(
        "has no attention"
    )
    spikeseq("translate", str(trained / "model.pt"), "Hund").refused("does not translate")
