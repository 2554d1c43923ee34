"""Every translation network: incremental equals whole, padding and rows do not matter, and what it refuses."""

import pytest
import torch

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.translation import CELLS, translator
from spikeseq.nn.translation.base import select

KINDS = [(cell, "softmax") for cell in CELLS] + [("lif", "shift"), ("relu", "shift"), ("graded_lif", "shift")]
VOCABULARY = 23


def make(cell, attention="softmax", **options):
    torch.manual_seed(1)
    if cell == "graded_lif":  # by itself it forgets what it did not send
        options = {"options": {"leak": 0.75, "levels": 2, "threshold": 1.0}, **options}
    return translator(
        cell, VOCABULARY, embedding_size=8, hidden_size=16, layers=2, attention=attention, positions=12, **options
    ).eval()


def pairs(rows=3, source=7, target=6):
    g = torch.Generator().manual_seed(0)
    lengths = torch.tensor([source, *(source - 2 - n for n in range(rows - 1))])
    return (
        torch.randint(4, VOCABULARY, (rows, source), generator=g),
        torch.randint(4, VOCABULARY, (rows, target), generator=g),
        lengths,
    )


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_tokens_one_by_one_give_the_logits_of_the_whole_sentence(cell, attention):
    model, (source, target, lengths) = make(cell, attention), pairs()
    whole = model(source, target, lengths)
    memory, state, found = model.encode(source, lengths), None, []
    for n in range(target.shape[1]):
        logits, state, _ = model.decode(target[:, n : n + 1], memory, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-5, atol=1e-5)
    assert whole.std() > 0.02


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_the_target_sees_no_later_token_and_no_padding_of_the_source(cell, attention):
    model, (source, target, lengths) = make(cell, attention), pairs()
    whole = model(source, target, lengths)
    changed = target.clone()
    changed[:, 4:] = 5
    torch.testing.assert_close(model(source, changed, lengths)[:, :4], whole[:, :4])
    other = source.clone()
    for row, length in enumerate(lengths):
        other[row, length:] = 9
    torch.testing.assert_close(model(other, target, lengths), whole)
    alone = model(source[1:2, : lengths[1]], target[1:2])
    torch.testing.assert_close(alone, whole[1:2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_the_source_and_earlier_tokens_matter_and_every_weight_learns(cell, attention):
    model, (source, target, lengths) = make(cell, attention), pairs()
    whole = model(source, target, lengths)
    other = source.clone()
    other[:, 0] = 4 + (source[:, 0] - 3) % 19
    assert not torch.allclose(model(other, target, lengths), whole)
    changed = target.clone()
    changed[:, 1] = 4 + (target[:, 1] - 3) % 19
    assert not torch.allclose(model(source, changed, lengths)[:, 2:], whole[:, 2:])
    model.train()
    torch.nn.functional.cross_entropy(model(source, target, lengths).flatten(0, 1), target.flatten()).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("cell", ["lif", "graded_lif", "lstm", "plain_lif"])
def test_a_row_goes_on_from_where_it_was_picked(cell):
    model, (source, target, lengths) = make(cell), pairs()
    rows = torch.tensor([2, 0, 2])
    memory = model.encode(source, lengths)
    _, state, _ = model.decode(target[:, :3], memory)
    found = model.decode(target[rows, 3:], select(memory, rows), select(state, rows)).logits
    torch.testing.assert_close(found, model(source, target, lengths)[rows, 3:], rtol=1e-5, atol=1e-5)


def test_attention_weights_are_those_of_the_tokens_that_are_there():
    model, (source, target, lengths) = make("lif"), pairs()
    weights = model.decode(target, model.encode(source, lengths)).attention
    assert weights.shape == (3, 6, 7)
    torch.testing.assert_close(weights.sum(-1), 2 * torch.ones(3, 6))  # two blocks
    assert not weights[2, :, lengths[2] :].any()


def test_what_cannot_work_is_said():
    model, (source, target, lengths) = make("lif"), pairs()
    with pytest.raises(ShapeError, match="a sentence of 13 tokens: the table of positions has 12"):
        model(source.repeat(1, 2)[:, :13], target)
    with pytest.raises(ShapeError, match="13 tokens"):
        model(source, target.repeat(1, 3)[:, :13], lengths)
    with pytest.raises(ShapeError, match="tokens run from 5 to 23: the vocabulary has 23"):
        model(torch.tensor([[5, 23]]), target[:1])
    with pytest.raises(ShapeError, match="whole numbers"):
        model(torch.zeros(1, 0, dtype=torch.long), target[:1])
    with pytest.raises(ShapeError, match="source has 3 rows and target 2"):
        model(source, target[:2], lengths)
    with pytest.raises(ConfigError, match="did you mean 'lif'"):
        make("lift")
    with pytest.raises(ConfigError, match="attention='soft'"):
        make("lif", "soft")
    with pytest.raises(ConfigError, match="set it to softmax"):
        make("lstm", "shift")
    with pytest.raises(ConfigError, match="has no option 'leek'"):
        make("lif", options={"leek": 0.5})
    with pytest.raises(ConfigError, match="leave them out"):
        make("lstm", options={"leak": 0.5})
    with pytest.raises(ConfigError, match="embedding_size=0"):
        translator("lif", VOCABULARY, embedding_size=0)
