"""Greedy and beam search against all sentences there are, on a model whose next token depends on place and last token."""

import itertools

import pytest
import torch

from spikeseq.errors import ConfigError
from spikeseq.nn.translation import Translator, beam, greedy, translator
from spikeseq.nn.translation.base import Decoded
from spikeseq.nn.translation.search import BEGIN, END

LONGEST, VOCABULARY = 4, 7


class Table(Translator):
    """Logits of the next token: a table by source's first token, place and last token."""

    vocabulary, positions = VOCABULARY, LONGEST

    def __init__(self, seed):
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.table = torch.randn(VOCABULARY, LONGEST, VOCABULARY, VOCABULARY, generator=g) * 1.5

    def encode(self, source, lengths):
        return (source[:, 0],)

    def decode(self, target, memory, state=None):
        place = 0 if state is None else state[0]
        logits = self.table[memory[0], place, target[:, -1]]
        return Decoded(logits.unsqueeze(1), (place + 1,), None)


def log_prob(model, first, tokens):
    total, last = 0.0, BEGIN
    for place, token in enumerate(tokens):
        logits = model.table[first, place, last].clone()
        logits[:3] = -torch.inf
        total, last = total + float(torch.log_softmax(logits, -1)[token]), token
    return total


def best_of_all(model, first, alpha):
    words = range(4, VOCABULARY)
    ended = [[*w, END] for n in range(LONGEST) for w in itertools.product(words, repeat=n)]
    return max(ended, key=lambda s: log_prob(model, first, s) / len(s) ** alpha)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_best_sentence_of_each_row(seed, alpha):
    model, source = Table(seed), torch.tensor([[4, 3], [5, 3], [6, 3]])
    found = beam(model, source, torch.tensor([2, 2, 2]), width=60, alpha=alpha)
    for first, one in zip((4, 5, 6), found, strict=True):
        wanted = best_of_all(model, first, alpha)
        assert [*one.tokens, END] == wanted
        assert one.score == pytest.approx(log_prob(model, first, wanted) / len(wanted) ** alpha, rel=1e-4)


def test_a_beam_of_one_is_greedy_and_greedy_takes_the_most_probable_token():
    model, source = Table(1), torch.tensor([[4, 3], [5, 3], [6, 3]])
    lengths = torch.tensor([2, 2, 2])
    wanted = []
    for first in (4, 5, 6):
        tokens, last = [], BEGIN
        for place in range(LONGEST):
            last = int(model.table[first, place, last, 3:].argmax()) + 3
            if last == END:
                break
            tokens.append(last)
        wanted.append(tokens)
    assert greedy(model, source, lengths) == wanted
    ends = [row for row, tokens in enumerate(wanted) if len(tokens) < LONGEST]
    assert ends
    found = beam(model, source, lengths, width=1)
    assert [found[row].tokens for row in ends] == [wanted[row] for row in ends]


@pytest.mark.parametrize("cell", ["lif", "lstm"])
def test_rows_of_a_batch_are_searched_as_if_alone(cell):
    torch.manual_seed(0)
    model = translator(cell, 23, embedding_size=8, hidden_size=16, layers=1, positions=9).eval()
    source = torch.randint(4, 23, (3, 6))
    lengths = torch.tensor([6, 4, 3])
    together = beam(model, source, lengths, width=3, max_length=7)
    for row, length in enumerate(lengths.tolist()):
        alone = beam(model, source[row : row + 1, :length], lengths[row : row + 1], width=3, max_length=7)
        assert alone[0].tokens == together[row].tokens
        assert alone[0].score == pytest.approx(together[row].score, rel=1e-4)


def test_what_cannot_be_searched_is_refused():
    model, source, lengths = Table(0), torch.tensor([[4, 3]]), torch.tensor([2])
    with pytest.raises(ConfigError, match="width=0"):
        beam(model, source, lengths, width=0)
    with pytest.raises(ConfigError, match="max_length=0"):
        greedy(model, source, lengths, max_length=0)
