"""What cannot be converted, and data that cannot calibrate: each message names module, value and remedy."""

import dataclasses
import re

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, TensorDataset

import spikeseq
from spikeseq import ConvertConfig
from spikeseq.errors import ConfigError, ConversionError, DataError, ShapeError, SpikeseqError


class Net(nn.Module):
    """A recurrent module below two names, and a readout."""

    def __init__(self, rnn, projection=False):
        super().__init__()
        self.body = nn.ModuleDict({"rnn": rnn})
        self.projection = nn.Linear(3, 3) if projection else nn.Identity()

    def forward(self, x):
        return self.body["rnn"](self.projection(x))[0]


def lstm_net(**options) -> Net:
    return Net(nn.LSTM(3, 4, batch_first=True), **options)


X = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))


def fails(error, *words, model=None, config=None, calibration=(X,)):
    """convert() raises ``error`` whose message holds every word, in this order."""
    with pytest.raises(error, match=".*".join(re.escape(w) for w in words)) as caught:
        spikeseq.convert(model or lstm_net(), config or ConvertConfig(), calibration)
    assert type(caught.value) is error
    return caught.value


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_data_that_is_not_finite(bad):
    dirty = X.clone()
    dirty[1, 2, 0] = bad
    words = ("calibration batch 2", "NaN or infinity", "clean the data")
    fails(DataError, *words, calibration=[X, X, dirty])
    fails(DataError, *words, calibration=[(X, 0), (X, 0), (dirty, 0)])
    packed = [pack_sequence(list(rows)) for rows in (X, X, dirty)]
    fails(DataError, *words, model=Net(nn.LSTM(3, 4)), calibration=packed)


def test_wrong_feature_size():
    fails(
        ShapeError, "calibration batch 1", "'body.rnn'", "5 features", "input_size=3", "check the data",
        calibration=[X, torch.randn(4, 6, 5)],
    )  # fmt: skip


def test_a_batch_that_the_model_does_not_take():
    words = ("calibration batch 0", "(4, 6, 5)", "does not accept it", "pass batches as the model's forward() takes")
    fails(DataError, *words, model=lstm_net(projection=True), calibration=[torch.randn(4, 6, 5)])


@pytest.mark.parametrize("empty", [[], (), iter([]), DataLoader(TensorDataset(torch.zeros(0, 6, 3)))])
def test_empty_calibration(empty):
    fails(DataError, "calibration is empty", "at least one batch", calibration=empty)


def test_no_calibration():
    fails(ConfigError, "calibration is None", "pass batches of inputs", 'thresholds="fixed"', calibration=None)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_proj_size():
    net = Net(nn.LSTM(3, 4, batch_first=True, proj_size=2))
    fails(ConversionError, "'body.rnn'", "proj_size=2", "proj_size=0 and a Linear", model=net)


@pytest.mark.parametrize(
    ("module", "name"), [(nn.RNN, "RNN"), (nn.LSTMCell, "LSTMCell"), (nn.GRUCell, "GRUCell")]
)  # fmt: skip
def test_other_recurrent_modules(module, name):
    words = (f" nn.{name}, which", "use nn.LSTM or nn.GRU", "register a handler with spikeseq.conversion.register")
    fails(ConversionError, "'body.rnn'", *words, model=Net(module(3, 4)))
    fails(ConversionError, "'model'", *words, model=module(3, 4))
    # beside an LSTM too: half a conversion is none
    fails(ConversionError, "'1.body.rnn'", *words, model=nn.Sequential(lstm_net(), Net(module(4, 4))))


def test_a_gru_as_streams_or_in_smaller_packets():
    gru = Net(nn.GRU(3, 4, batch_first=True))
    words = ("'body.rnn'", "a gated current has no streams", 'scheme="grid"')
    fails(ConversionError, *words, model=gru, config=ConvertConfig(scheme="streams"))
    words = ("'body.rnn'", "packets of up to time_steps=4 spikes", "max_packet=1", "time_steps=1")
    fails(ConversionError, *words, model=gru, config=ConvertConfig(4, max_packet=1))
    assert spikeseq.convert(gru, ConvertConfig(1, max_packet=1), [X]).model


def test_our_own_cells_are_not_left_float_in_silence():
    class Both(Net):
        def __init__(self):
            super().__init__(nn.LSTM(4, 4, batch_first=True))
            self.gru = spikeseq.nn.GRUCell(3, 4)

        def forward(self, x):
            return super().forward(torch.stack([self.gru(element)[0] for element in x.unbind(1)], 1))

    fails(ConversionError, "'gru'", "GRUCell", model=Both())


def test_a_subclass_of_lstm_is_not_guessed_at():
    class Mine(nn.LSTM):
        pass

    fails(ConversionError, "'body.rnn'", "Mine", "register a handler", model=Net(Mine(3, 4)))


def test_a_model_without_lstm():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    fails(
        ConversionError,
        "Sequential holds no layer",
        "it needs an nn.LSTM, an nn.GRU, or a registered layer",
        model=model,
    )


def test_a_module_never_called():
    model = lstm_net()
    model.body["spare"] = nn.LSTM(3, 4)
    fails(ConversionError, "'body.spare'", "not called", "pass data that reaches it", model=model)
    # without calibration data nobody can know
    assert spikeseq.convert(model, ConvertConfig(thresholds="fixed")).model


def test_a_quantised_layer_of_another_t():
    model = Net(spikeseq.nn.QuantizedLSTM(3, 4, batch_first=True, time_steps=4))
    words = ("'body.rnn'", "time_steps=4", "config says 2", "convert with the T it was trained for")
    fails(ConversionError, *words, model=model)
    assert spikeseq.convert(model, ConvertConfig(4), [X]).model


def test_a_quantised_layer_of_another_input():
    """The input's code is trained in: no other one is put on it, nor silently left out."""
    model = Net(spikeseq.nn.QuantizedLSTM(3, 4, batch_first=True, input_encoding="int8"))
    for options in ({"input_encoding": "delta"}, {"input_encoding": "int8", "input_levels": 16}):
        words = ("'body.rnn'", "input_encoding='int8' (127 levels)", "convert the float or hard model instead")
        fails(ConversionError, *words, model=model, config=ConvertConfig(**options))
    for config in (ConvertConfig(), ConvertConfig(input_encoding="int8")):
        assert spikeseq.convert(model, config, [X]).model.body["rnn"].kind.encoding.code == "int8"
    plain = Net(spikeseq.nn.QuantizedLSTM(3, 4, batch_first=True))
    fails(ConversionError, "input_encoding='direct'", model=plain, config=ConvertConfig(input_encoding="int8"))


def test_an_error_leaves_the_model_as_it_was():
    model = lstm_net().train()
    fails(ShapeError, "features", model=model, calibration=[torch.randn(4, 6, 5)])
    assert model.training
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert type(model.body["rnn"]) is nn.LSTM


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time_steps": 3}, ("time_steps=3", "power of two up to 16", "(1, 2, 4, 8, 16)")),
        ({"time_steps": 32}, ("time_steps=32", "power of two up to 16")),
        ({"time_steps": 0}, ("time_steps=0",)),
        ({"time_steps": True}, ("time_steps=True",)),
        ({"neuron": "lif"}, ('neuron="lif" with scheme="grid"', 'scheme="streams"')),
        ({"scheme": "stream"}, ("scheme='stream'", "did you mean 'streams'", "grid, streams")),
        ({"neuron": "lfi"}, ("neuron='lfi'", "if, lif")),
        ({"shift": "optimum"}, ("shift='optimum'", "did you mean 'optimal'", "none, optimal")),
        ({"stage": "spikes"}, ("stage='spikes'", "did you mean 'spiking'")),
        ({"thresholds": "calibrate"}, ("thresholds='calibrate'", "did you mean 'calibrated'")),
        ({"leak": 1.5, "scheme": "streams", "neuron": "lif"}, ("leak=1.5", "from 0 to 1")),
        ({"leak": -0.1}, ("leak=-0.1",)),
        ({"max_packet": 0}, ("max_packet=0", "1 or more")),
        ({"max_packet": 1.5}, ("max_packet=1.5",)),
        ({"samples": 0}, ("samples=0", "at least one")),
    ],
)
def test_settings_that_cannot_work(options, words):
    with pytest.raises(ConfigError, match=".*".join(re.escape(w) for w in words)):
        ConvertConfig(**options)
    with pytest.raises(ConfigError):  # nor by way of a valid one
        dataclasses.replace(ConvertConfig(), **options)


def test_every_error_is_caught_as_one():
    with pytest.raises(SpikeseqError):
        spikeseq.convert(nn.Linear(3, 4), calibration=[X])
    for error, kind in ((ConversionError, TypeError), (DataError, ValueError), (ShapeError, ValueError)):
        assert issubclass(error, kind)
