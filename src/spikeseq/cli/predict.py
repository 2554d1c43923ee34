"""``spikeseq predict``: the verdict on a text, how it came about, and what it cost."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from spikeseq.cli.given import given
from spikeseq.data.text.tokenizer import UNKNOWN, Tokenizer
from spikeseq.energy import count
from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.verdict import Verdict, verdict_of
from spikeseq.report.figure import save_png
from spikeseq.report.review import review
from spikeseq.report.table import Column, rich_table

console = Console(soft_wrap=True, markup=False, highlight=False)
LINES, BAR = 24, 20  # lines of the table at most; cells of a bar


def predict(checkpoint: str, text: str, plot: str | None = None) -> None:
    """Classify a text: the verdict, the probability after each word, spikes, and the operations it took.

    Args:
        checkpoint: model file of a network for texts (runs/imdb/lif/seed0/model.pt); its tokenizer is in it
        text: the text, in quotes; "-" reads it from standard input
        plot: PNG file for the spikes along the text with the running verdict
    """
    model, _, notes = load_model(checkpoint)
    if not isinstance(model, TextClassifier):
        raise ConfigError(
            f"checkpoint {checkpoint!r} holds {type(model).__name__}, which takes no text; train a recipe with task: text"
        )
    tokenizer, classes = reading_of(notes, checkpoint)
    tokens, words, left_out = encoded(given(text, "text"), tokenizer, notes)
    found = verdict_of(model, tokens)
    name, unknown = classes[found.label], int((tokens == UNKNOWN).sum())
    console.print(f"{name}, probability {float(found.probability[-1, found.label]):.3f}")
    console.print(rich_table(*lines_of(found, words, name)))
    console.print(
        f"{len(words)} tokens, {unknown} of them not in the vocabulary, {left_out} left out: longer than in training"
    )
    counts = count(model, {"tokens": tokens[None], "lengths": [len(words)]})
    sent = sum(int(s.sum()) for s in found.spikes.values())
    console.print(
        f"{sent:,} spikes; {counts.acs_per_element:,.0f} additions and {counts.macs_per_element:,.0f} multiplications a token"
    )
    if plot:
        spikes = {layer: s.numpy() for layer, s in found.spikes.items()}
        save_png(review(words, found.probability[:, found.label].numpy(), spikes, name), plot)
        console.print(f"written: {plot}")


def reading_of(notes: dict[str, Any], checkpoint: str) -> tuple[Tokenizer, list[str]]:
    """The tokenizer and the classes that a model file keeps. Raises CheckpointError where there are none."""
    if not isinstance(notes.get("tokenizer"), str) or not isinstance(notes.get("classes"), list):
        raise CheckpointError(f"checkpoint {checkpoint!r} keeps no tokenizer; train it by a recipe with task: text")
    return Tokenizer.from_json(notes["tokenizer"]), notes["classes"]


def encoded(text: str, tokenizer: Tokenizer, notes: dict[str, Any]) -> tuple[Tensor, list[str], int]:
    """Tokens ``[L]``, how they are written, and how many are cut off, as the model's data was cut."""
    tokens = torch.from_numpy(tokenizer.encode([text])[0]).long()
    options = notes["recipe"]["data"].get("options", {})
    limit = options.get("max_length", 400)
    kept = tokens[:limit] if options.get("keep", "start") == "start" else tokens[-limit:]
    vocabulary = tokenizer.words
    return kept, [vocabulary[i] for i in kept.tolist()], len(tokens) - len(kept)


def lines_of(found: Verdict, words: list[str], name: str) -> tuple[list[dict[str, Any]], list[Column]]:
    """A line for each word, or for some words together where there are many; and the columns."""
    step = -(-len(words) // LINES)
    sent = sum(s.sum(1) for s in found.spikes.values()) if found.spikes else None
    rows = []
    for start in range(0, len(words), step):
        last = min(start + step, len(words)) - 1
        p = float(found.probability[last, found.label])
        row: dict[str, Any] = {"words": " ".join(words[start : last + 1]), "p": p, "bar": "#" * round(p * BAR)}
        rows.append(row if sent is None else {**row, "spikes": int(sent[start : last + 1].sum())})  # type: ignore[index]
    columns = [Column("words"), Column("p", f"P({name})", digits=3), Column("bar", "0 to 1".ljust(BAR))]
    return rows, columns if sent is None else [*columns, Column("spikes")]
