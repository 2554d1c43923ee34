"""``spikeseq translate``: a sentence by a trained model file, and which of its words were looked at."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from spikeseq.cli.given import given
from spikeseq.data.text.pairs import padded
from spikeseq.data.text.tokenizer import BEGIN, END, SPACE, UNKNOWN, Tokenizer
from spikeseq.energy import count
from spikeseq.errors import CheckpointError, ConfigError, ShapeError
from spikeseq.nn.checkpoint import load_model
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.translation import Translator, beam, greedy
from spikeseq.report.attention import attention_map
from spikeseq.report.figure import save_png
from spikeseq.report.table import Column, rich_table

console = Console(soft_wrap=True, markup=False, highlight=False)


def translate(
    checkpoint: str, sentence: str, width: int = 5, plot: str | None = None, max_length: int | None = None
) -> None:
    """Translate a sentence with a trained model; its tokenizer is in the model file, no data is needed.

    Args:
        checkpoint: model file of a run with task: translate (runs/X/model.pt)
        sentence: in the source language, in quotation marks; "-" reads it from standard input
        width: of the beam; 0 takes the most probable token each time
        plot: PNG file for the attention map
        max_length: most tokens of the translation; twice the sentence and ten more if left out
    """
    if width < 0:
        raise ConfigError(f"width={width}: pass 0 (greedy) or more")
    model, tokenizer, languages = _read(checkpoint)
    text = given(sentence, "sentence")
    source, lengths = padded(tokenizer.encode([text]))
    if source.shape[1] > model.positions:
        raise ShapeError(
            f"sentence has {source.shape[1]} tokens, the model's table of positions has {model.positions}: shorten it"
        )
    tokens = beam(model, source, lengths, width, max_length=max_length)[0].tokens if width else None
    tokens = greedy(model, source, lengths, max_length)[0] if tokens is None else tokens
    console.print(tokenizer.decode(tokens))
    unknown = int((source == UNKNOWN).sum())
    if unknown:
        console.print(f"{unknown} of {source.shape[1] - 1} tokens are unknown to the model: it was not trained on them")
    target = torch.tensor([[BEGIN, *tokens]])
    _operations(model, source, target, lengths)
    weights = attention(model, source, lengths, [*tokens, END])
    if weights is None:
        if plot:
            raise ConfigError(f"plot={plot!r}: {type(model).__name__} has no attention; leave it out")
        return
    read, written = (_pieces(tokenizer, row) for row in (source[0].tolist(), [*tokens, END]))
    console.print(rich_table(*looked_at(weights, read, written)))
    if plot:
        title = f"{text.strip()}  ({' -> '.join(languages)})"
        save_png(attention_map(weights.numpy(), read, written[: len(weights)], title), plot)
        console.print(f"written: {plot}")


def attention(model: Translator, source: Tensor, lengths: Tensor, tokens: list[int]) -> Tensor | None:
    """Weights ``[written, read]`` of each token of a translation, mean over layers; None for a model without attention."""
    before: Any = torch.tensor([[BEGIN, *tokens[:-1]]])[:, : model.positions]
    with torch.no_grad():
        weights = model.decode(before, model.encode(source, lengths)).attention
    # relative to all that was looked at: of softmax the mean over layers
    return None if weights is None else weights[0] / weights[0].sum(-1, keepdim=True)


def looked_at(weights: Tensor, read: list[str], written: list[str]) -> tuple[list[dict[str, Any]], list[Column]]:
    """A line for each token of a translation, with the token of the source that weighed most; and the columns."""
    rows = [
        {"written": word, "read": read[int(row.argmax())], "weight": float(row.max())}
        for word, row in zip(written, weights, strict=False)  # the table of positions may end before the sentence
    ]
    return rows, [Column("written"), Column("read", "looked most at"), Column("weight", digits=2)]


def _pieces(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    names = tokenizer.words
    return [names[t].replace(SPACE, "") or "·" for t in tokens]


def _read(checkpoint: str) -> tuple[Translator, Tokenizer, list[str]]:
    """The parts of a model file. Raises ConfigError for a model that does not translate."""
    model, _, notes = load_model(checkpoint)
    if not isinstance(model, Translator):
        raise ConfigError(
            f"{checkpoint!r} holds {type(model).__name__}, which does not translate; see recipes/multi30k"
        )
    if not isinstance(notes.get("tokenizer"), str):
        raise CheckpointError(f"checkpoint {checkpoint!r} holds no tokenizer; train it by a recipe")
    tokenizer = Tokenizer.from_json(notes["tokenizer"])
    if len(tokenizer) != model.vocabulary:
        raise CheckpointError(
            f"checkpoint {checkpoint!r} holds a tokenizer of {len(tokenizer)} tokens for a model of {model.vocabulary}"
        )
    return model, tokenizer, list(notes.get("languages", ("source", "target")))


def _operations(model: Translator, source: Tensor, target: Tensor, lengths: Tensor) -> None:
    """Say what the sentence took, read and written once."""
    counts = count(model, {"source": source, "target": target[:, : model.positions], "lengths": lengths})
    totals = {field: counts.per_element(field) * counts.elements for field in ("spikes", "acs", "macs")}
    spiking = any(isinstance(module, Neurons) for module in model.modules())
    sent = f"{totals['spikes']:,.0f} spikes, " if spiking else ""
    console.print(f"{sent}{totals['acs']:,.0f} additions, {totals['macs']:,.0f} multiplications with their additions")
