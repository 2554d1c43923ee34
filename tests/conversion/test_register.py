"""Handlers for layers of one's own."""

import pytest
import torch
from torch import nn

import spikeseq
from spikeseq import ConvertConfig
from spikeseq.conversion import LayerReport, register
from spikeseq.errors import ConversionError

pytestmark = pytest.mark.usefixtures("own_handlers")


class Halve(nn.Module):
    """An own layer."""

    def forward(self, x, by=2.0):
        return x / by


class Round(nn.Module):
    """What becomes of it."""

    def __init__(self, levels, largest):
        super().__init__()
        self.levels, self.largest = levels, largest

    def forward(self, x, by=2.0):
        return (x / by * self.levels).round() / self.levels


class Wrapper(nn.Module):
    """An own layer with an nn.LSTM inside."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 3)

    def forward(self, x):
        return self.lstm(x)[0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Halve(), nn.ModuleList([Halve()])

    def forward(self, x):
        return self.b[0](self.a(x), by=4.0)


def test_a_handler_gets_layer_name_config_and_calls():
    seen = {}

    @register(Halve)
    def convert_halve(layer, context):
        seen[context.name] = context
        assert type(layer) is Halve
        largest = max(float(call.args[0].max()) for call in context.calls)
        return Round(context.config.time_steps, largest), LayerReport(context.name, "Halve", "Round")

    x, y = torch.full((2, 3), 3.0), torch.full((1, 3), 5.0)
    model = Net()
    result = spikeseq.convert(model, ConvertConfig(time_steps=8), [(x, None), (y, None)])
    assert list(seen) == ["a", "b.0"]
    assert (result.model.a.largest, result.model.b[0].largest) == (5.0, 2.5)
    assert [call.kwargs for call in seen["b.0"].calls] == [{"by": 4.0}] * 2
    assert (type(model.a), type(model.b[0])) == (Halve, Halve)
    assert str(result.report).startswith("a: Halve -> Round\nb.0: Halve -> Round\nmodel output: relative error")
    # 3 / 2 -> 12/8, 12/8 / 4 = 3/8 exactly; 5 / 2, 2.5 / 4 = 5/8
    assert result.report.output_error == 0
    assert torch.equal(result.model(x), torch.full((2, 3), 0.375))


def test_the_layer_that_a_handler_gets_is_a_copy():
    @register(Wrapper)
    def convert_wrapper(layer, context):
        layer.lstm.weight_ih_l0.data.zero_()
        return layer, LayerReport(context.name, "Wrapper", "Wrapper")

    model = Wrapper()
    spikeseq.convert(model, calibration=[torch.randn(4, 1, 3)])
    assert (model.lstm.weight_ih_l0 != 0).all()


def test_what_is_inside_a_registered_layer_is_its_own_affair():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.own, self.lstm = Wrapper(), nn.LSTM(3, 4)
            self.own.extra = nn.RNN(3, 3)

        def forward(self, x):
            return self.lstm(self.own(x))[0]

    register(Wrapper)(lambda layer, context: (layer, LayerReport(context.name, "Wrapper", "kept")))
    snn = spikeseq.convert(Mixed(), calibration=[torch.randn(4, 1, 3)]).model
    assert type(snn.own.lstm) is nn.LSTM
    assert type(snn.lstm) is spikeseq.nn.SpikingLSTM


def test_a_handler_lifts_the_refusal_and_a_later_one_replaces_it():
    class Keep(nn.Module):
        def __init__(self, label):
            super().__init__()
            self.label = label

        def forward(self, x, state=None):
            return x, state

    model = nn.Sequential(nn.RNN(3, 4))
    for label in ("first", "second"):
        register(nn.RNN)(lambda layer, context, label=label: (Keep(label), LayerReport(context.name, "RNN", label)))
        result = spikeseq.convert(model, ConvertConfig(thresholds="fixed"))
        assert (result.model[0].label, result.report.layers[0].target) == (label, label)


def test_a_handler_is_for_the_exact_type():
    class Finer(Halve):
        pass

    register(Halve)(lambda layer, context: (layer, LayerReport(context.name, "Halve", "Halve")))
    with pytest.raises(ConversionError, match="holds no layer"):
        spikeseq.convert(nn.Sequential(Finer()), calibration=[torch.zeros(1, 3)])


def test_register_gives_the_handler_back():
    def handler(layer, context):
        return layer, LayerReport(context.name, "Halve", "Halve")

    assert register(Halve)(handler) is handler
