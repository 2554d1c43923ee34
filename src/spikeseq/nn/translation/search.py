r"""From a source sentence to its translation: the most probable next token each time, or a beam search.

Beam: of each sentence the ``width`` best beginnings by log P = sum_n log P(y_n | y_<n, x) are kept; one that ends is set aside
with the score ``log P / n^alpha``, n its tokens with END. It is over once ``width`` have ended, or none left can beat the best.

Sources: Graves (2012), arXiv:1211.3711; length normalisation as of Wu et al. (2016), arXiv:1609.08144, without its constant 5.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spikeseq.errors import ConfigError
from spikeseq.nn.translation.base import Translator, select

BEGIN, END = 2, 3
NOT_WRITTEN = 3  # tokens below: padding, unknown and BEGIN are no words


class Hypothesis(NamedTuple):
    """A translation found."""

    tokens: list[int]  # without BEGIN and END
    score: float


def _longest(model: Translator, lengths: Tensor, max_length: int | None) -> int:
    """Most tokens of a translation, END included: given, or twice the source and ten, within the table of positions."""
    if max_length is not None and max_length < 1:
        raise ConfigError(f"max_length={max_length}: pass 1 token or more")
    return min(model.positions, max_length or 2 * int(lengths.max()) + 10)


def _log_probs(logits: Tensor) -> Tensor:
    logits[:, :NOT_WRITTEN] = -torch.inf
    return F.log_softmax(logits, -1)


@torch.no_grad()
def greedy(model: Translator, source: Tensor, lengths: Tensor, max_length: int | None = None) -> list[list[int]]:
    """Translate ``source [B, S]``; the tokens of each row without BEGIN and END. ``model`` in evaluation mode."""
    memory, state = model.encode(source, lengths), None
    token = torch.full((len(source), 1), BEGIN)
    written: list[Tensor] = []
    done = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(_longest(model, lengths, max_length)):
        logits, state, _ = model.decode(token.to(source.device), memory, state)
        token = _log_probs(logits[:, -1]).argmax(-1, keepdim=True).cpu()
        written.append(token)
        done |= token[:, 0] == END
        if bool(done.all()):
            break
    return [_until_end(row) for row in torch.cat(written, 1).tolist()]


def _until_end(tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(END)] if END in tokens else tokens


@torch.no_grad()
def beam(
    model: Translator,
    source: Tensor,
    lengths: Tensor,
    width: int = 5,
    alpha: float = 1.0,
    max_length: int | None = None,
) -> list[Hypothesis]:
    """Translate ``source [B, S]`` by a beam of ``width``, all rows at once; the best of each.

    alpha       of the length normalisation; 0: none, which favours short sentences
    max_length  most tokens, END included; twice the source and ten more if left out
    Raises ConfigError for a width or length below 1.
    """
    if width < 1:
        raise ConfigError(f"width={width}: keep one beginning or more")
    rows, longest = len(source), _longest(model, lengths, max_length)
    memory = select(model.encode(source, lengths), torch.arange(rows).repeat_interleave(width))
    tokens = torch.full((rows, width, 1), BEGIN)
    scores = torch.full((rows, width), -torch.inf)
    scores[:, 0] = 0.0  # all beginnings are the same as yet
    state, ended = None, [[] for _ in range(rows)]  # type: ignore[var-annotated]
    for n in range(1, longest + 1):
        logits, state, _ = model.decode(tokens[:, :, -1].reshape(-1, 1).to(source.device), memory, state)
        grown = scores.unsqueeze(-1) + _log_probs(logits[:, -1]).cpu().view(rows, width, -1)
        best, index = grown.flatten(1).topk(2 * width)  # twice: at most width of them end
        parent, word = index // grown.shape[-1], index % grown.shape[-1]
        for row in range(rows):
            for place in range(width):  # only what ranks within the beam may end
                if word[row, place] == END and torch.isfinite(best[row, place]):
                    own = tokens[row, parent[row, place], 1:].tolist()
                    ended[row].append(Hypothesis(own, float(best[row, place]) / n**alpha))
        best = best.masked_fill(word == END, -torch.inf)
        scores, keep = best.topk(width)
        parent, word = parent.gather(1, keep), word.gather(1, keep)
        tokens = torch.cat([tokens.gather(1, parent[:, :, None].expand(-1, -1, n)), word[:, :, None]], -1)
        state = select(state, (parent + torch.arange(rows)[:, None] * width).flatten())
        if all(
            _over(found, float(top), n, width, alpha, longest) for found, top in zip(ended, scores[:, 0], strict=True)
        ):
            break
    cut = [Hypothesis(tokens[row, 0, 1:].tolist(), float(scores[row, 0]) / longest**alpha) for row in range(rows)]
    return [max(found, key=lambda h: h.score) if found else cut[row] for row, found in enumerate(ended)]


def _over(found: list[Hypothesis], top: float, n: int, width: int, alpha: float, longest: int) -> bool:
    """Whether a row has its translations: enough of them, or none that goes on can become better."""
    if len(found) >= width:
        return True
    return bool(found) and max(h.score for h in found) >= top / (longest if alpha > 0 else n) ** alpha
