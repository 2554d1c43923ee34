"""Text classifiers: published sizes, padding, chunks, running verdicts, and a task that only a memory solves."""

import pytest
import torch

from spikeseq import energy
from spikeseq import nn as snn
from spikeseq.conversion import init_thresholds
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.memory import CELLS

V, B, L = 12, 3, 7
LENGTHS = [4, 7, 1]


def make(cell, **options):
    torch.manual_seed(0)
    model = snn.TextClassifier(V, 2, cell, hidden_size=6, embedding_size=5, **options).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "weight" in name and "embedding" not in name:
                p.mul_(3)
    return model.eval()


def tokens(seed=1):
    torch.manual_seed(seed)
    return torch.randint(1, V, (B, L))


@pytest.mark.parametrize(
    ("cell", "number"), [("lif", 157_444), ("if", 157_442), ("relu", 157_440), ("lstm", 366_592), ("gru", 274_944)]
)
def test_parameters_at_the_published_sizes(cell, number):
    """LITE-SNN: embedding 100, width 256, two layers of neurons, one threshold and leak each; LSTM and GRU of that width."""
    assert snn.TextClassifier(25_000, 2, cell, 256, 100).body_parameters == number


@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell):
    model, x = make(cell), tokens()
    logits = model(x, LENGTHS)
    assert logits.shape == (B, 2)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(logits[row : row + 1], model(x[row : row + 1, :length]), rtol=0, atol=1e-12)
    garbage = x.clone()
    for row, length in enumerate(LENGTHS):
        garbage[row, length:] = 0
    assert torch.equal(model(garbage, LENGTHS), logits)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cut", [1, 3])
def test_a_text_in_parts(cell, cut):
    model, x = make(cell), tokens()
    _, state = model.chunk(x[:, :cut])
    torch.testing.assert_close(model.chunk(x[:, cut:], state)[0], model(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_the_running_verdict_ends_as_the_verdict(cell):
    model, x = make(cell).train(), tokens()
    running = model.running(x)
    assert model.training
    model.eval()
    for n in range(L):
        torch.testing.assert_close(running[:, n], model(x[:, : n + 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_learns(cell):
    model = make(cell, head="mlp", dropout=0.1, embedding_dropout=0.1).train()
    model(tokens(), LENGTHS).square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert silent == []


def test_dropout_is_drawn_once_for_a_text():
    model = make("relu", embedding_dropout=0.5).train()
    model.body[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    seen = []
    model(torch.full((B, L), 3))
    kept = seen[0].view(L, B, -1) != 0
    assert (kept == kept[0]).all()
    assert 0 < kept.double().mean() < 1


def test_options_reach_the_neurons():
    model = make("lif", per_channel=True, options={"leak": 0.5, "dyadic_leak": True, "reset": "zero"})
    lif = [m for m in model.modules() if isinstance(m, snn.LIF)]
    assert [m.channels for m in lif] == [6, 6]
    assert all(m.rounded and m.step.reset == "zero" for m in lif)
    assert make("spiking_lstm", options={"time_steps": 4}).body[1].kind.time_steps == 4


def test_operations_and_thresholds():
    model, batch = make("lif"), {"tokens": tokens(), "lengths": LENGTHS}
    assert list(init_thresholds(model, [batch], 90, 0.5)) == ["body.2", "body.5"]
    counts = energy.count(model, batch)
    assert counts.elements == sum(LENGTHS)
    linear = {layer.name: layer for layer in counts.per_layer}
    assert linear["body.1"].macs == sum(LENGTHS) * 5 * 6  # the embedding is analog
    assert linear["body.4"].macs == linear["body.7"].macs == 0
    assert linear["body.4"].acs == 6 * linear["body.2"].spikes > 0
    model = make("lif", options={"dyadic_leak": True})
    kinds = [(f.kind, f.module) for f in energy.audit(model, batch).findings]
    assert kinds == [("input layer", "body.1"), ("element-wise product", "body.8"), ("matrix product", "head")]


def test_it_learns_which_word_came_first():
    """The same words in another order: without a memory of the order, one half is right at best."""
    torch.manual_seed(2)
    x = torch.randint(4, V, (64, 6))
    y = torch.arange(64) % 2
    x[:, 1], x[:, 4] = 2 + y, 3 - y
    model = snn.TextClassifier(V, 2, "lif", 32, 16, dropout=0.0, embedding_dropout=0.0)
    init_thresholds(model, [x], scale=0.3)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(x).argmax(-1) == y).double().mean() > 0.95


def test_what_cannot_be():
    for options, words in (
        ({"cell": "lstn"}, "cell='lstn': did you mean 'lstm'"),
        ({"head": "deep"}, "head='deep'"),
        ({"options": {"leek": 0.5}}, "cell='lif' has no option 'leek'; did you mean 'leak'"),
        ({"cell": "relu", "options": {"leak": 0.5}}, "cell='relu' has no option 'leak'; leave it out"),
        ({"cell": "if", "options": {"leak": 0.5}}, "cell='if' has no option 'leak'"),
        ({"layers": 0}, "layers=0: pass a whole number"),
    ):
        with pytest.raises(ConfigError, match=words):
            snn.TextClassifier(V, **options)
    model = make("lif")
    with pytest.raises(ShapeError, match=r"tokens has shape \(3, 7\) and dtype torch.float32: pass whole numbers"):
        model(torch.zeros(B, L))
    with pytest.raises(ShapeError, match="tokens run from 0 to 12: the vocabulary has 12; encode with the tokenizer"):
        model(torch.tensor([[0, 12]]))
    with pytest.raises(ShapeError, match=r"tokens has shape \(3, 0\)"):
        model(torch.zeros(B, 0, dtype=torch.int64))
    with pytest.raises(ShapeError, match="lengths holds 0"):
        model(tokens(), [0, 7, 1])
