"""The classifier: pooling, readout of the averaged spikes, node-wise run, and names that do not exist."""

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.energy import assert_accumulate_only
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.checkpoint import ModelSettings
from spikeseq.nn.classifier import CELLS


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("both", [False, True])
def test_logits_are_the_readout_of_the_pooled_output(cell, pooling, both):
    torch.manual_seed(0)
    model = snn.SequenceClassifier(3, 8, 5, cell, num_layers=2, bidirectional=both, pooling=pooling).eval()
    x = torch.randn(4, 6, 3)
    output = model.rnn(x)[0]
    assert output.shape == (4, 6, 16 if both else 8)
    pooled = output[:, -1] if pooling == "last" else sum(output[:, n] for n in range(6)) / 6
    logits = model(x)
    assert logits.shape == (4, 5)
    torch.testing.assert_close(logits, pooled @ model.readout.weight.t() + model.readout.bias)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_padding_changes_nothing(cell, pooling):
    torch.manual_seed(0)
    model = snn.SequenceClassifier(3, 8, 5, cell, num_layers=2, bidirectional=True, pooling=pooling).eval()
    x = torch.randn(3, 6, 3)
    lengths = [6, 2, 4]
    dirty = x.clone()
    for row, n in enumerate(lengths):
        dirty[row, n:] = 1e6
    for padded in (x, dirty):
        found = model(padded, lengths)
        alone = torch.cat([model(x[row : row + 1, :n]) for row, n in enumerate(lengths)])
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model(x, [6, 6, 6]), model(x), rtol=1e-4, atol=1e-5)
    with pytest.raises(ShapeError, match="lengths holds 7"):
        model(x, [7, 1, 1])


@pytest.mark.parametrize("cell", ["spiking_lstm", "stream_lstm", "spiking_gated_current"])
def test_the_readout_of_spikes_accumulates(cell):
    """Whatever the pooling; only the first layer multiplies."""
    for pooling in ("last", "mean"):
        options = {"batch_norm": False} if cell == "spiking_gated_current" else {}
        model = snn.SequenceClassifier(3, 8, 5, cell, pooling=pooling, options=options)
        x = torch.randn(2, 8, 3)  # a mean over 8 elements is a shift
        assert_accumulate_only(model, x, allow=["input layer"])
        trained, tested = model.train()(x), model.eval()(x)
        torch.testing.assert_close(trained, tested)


@pytest.mark.parametrize("cell", ["spiking_lstm", "stream_lstm"])
@pytest.mark.parametrize("order", ["serial", "layer", "wavefront"])
def test_run_equals_forward(cell, order):
    torch.manual_seed(0)
    model = snn.SequenceClassifier(3, 8, 5, cell, num_layers=2, options={"time_steps": 4}).double()
    with torch.no_grad():
        for p in model.rnn.parameters():
            p.copy_((p * 16).round() / 8)
    x = torch.randint(-8, 9, (4, 6, 3)).double() / 4
    assert torch.equal(model.run(x, order=order), model(x))
    assert not model.run(x).requires_grad


def test_options_reach_the_layer_and_dropout_is_off_in_evaluation():
    model = snn.SequenceClassifier(3, 8, 5, "spiking_lstm", 2, 0.5, options={"time_steps": 8, "max_packet": 1})
    assert (model.rnn.kind.time_steps, model.rnn.kind.max_packet, model.rnn.dropout) == (8, 1, 0.5)
    x = torch.randn(4, 6, 3)
    model.eval()
    assert torch.equal(model(x), model(x))


def test_names_that_do_not_exist():
    with pytest.raises(
        ConfigError, match=r"cell='spiking_lst': did you mean 'spiking_lstm'.* valid: adlif, gated_current, gru"
    ):
        snn.SequenceClassifier(3, 8, 5, "spiking_lst")
    with pytest.raises(ConfigError, match=r"pooling='lst': did you mean 'last'.* valid: last, mean"):
        snn.SequenceClassifier(3, 8, 5, pooling="lst")
    with pytest.raises(ConfigError, match=r"run\(\) needs a spiking layer, this model has LSTM; use forward\(\)"):
        snn.SequenceClassifier(3, 8, 5).run(torch.zeros(1, 2, 3))


def test_one_layer_with_dropout_is_no_surprise():
    """nn.LSTM warns about dropout with one layer; here dropout also serves the readout, so it is legitimate."""
    for cell in CELLS:
        snn.SequenceClassifier(3, 8, 5, cell, num_layers=1, dropout=0.2)


@pytest.mark.parametrize("size", [10**7, 10**12])
def test_a_model_that_no_memory_holds(size):
    with pytest.raises(
        ConfigError, match=rf"hidden_size={size}, num_layers=1 cannot be built \([^\n]*\); pass fewer"
    ) as found:
        ModelSettings("lstm", size).build(8, 10)
    assert "\n" not in str(found.value)
