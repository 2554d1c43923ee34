"""Which models convert() takes: nn.LSTM anywhere, in every configuration, and nothing else of the model changes."""

import copy
import inspect

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, TensorDataset

import spikeseq
from spikeseq import ConvertConfig
from spikeseq.nn import HardLSTM, QuantizedLSTM, SpikingLSTM, StreamLSTM


class Whole(nn.Module):
    """Runs a batch-first LSTM over the whole sequence."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def forward(self, x, scale: float = 1.0):
        return scale * self.lstm(x)[0]


class Stepwise(Whole):
    """The same model, element by element with explicit state."""

    def forward(self, x, scale: float = 1.0):
        outputs, state = [], None
        for element in x.split(1, 1):
            output, state = self.lstm(element, state)
            outputs.append(output)
        return scale * torch.cat(outputs, 1)


class Packed(Whole):
    """Packs inside forward."""

    def forward(self, x, lengths=(6, 4, 4, 1)):
        packed = pack_padded_sequence(x, list(lengths)[: len(x)], batch_first=True)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class Idiomatic(Whole):
    """What people write: flatten_parameters first, then the arguments by the names nn.LSTM gives them."""

    def __init__(self, lstm, call):
        super().__init__(lstm)
        self.call = call

    def forward(self, x):
        return self.call(self.lstm, x)[0]


def strong(lstm: nn.LSTM, seed: int = 0) -> nn.LSTM:
    """Weights large enough for every gate to move."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in lstm.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    return lstm


def some(batch: int = 4, length: int = 6, size: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn(batch, length, size, generator=torch.Generator().manual_seed(seed))


def names_of(model: nn.Module, kind: type) -> list[str]:
    return [name for name, module in model.named_modules(remove_duplicate=False) if isinstance(module, kind)]


def test_deep_in_the_tree_with_the_state_unpacked(trained, digits):
    result = spikeseq.convert(trained, ConvertConfig(time_steps=4), [digits.train.x[:200]])
    assert names_of(result.model, nn.LSTM) == []
    assert names_of(result.model, SpikingLSTM) == ["encoder.inner.1"]
    assert [layer.name for layer in result.report.layers] == ["encoder.inner.1"]
    layer = result.model.encoder["inner"][1]
    for name, value in trained.encoder["inner"][1].state_dict().items():
        assert torch.equal(layer.state_dict()[name], value)  # the weights are kept
    # the model's own code still runs: out, (h, c) = lstm(x); h is what the readout gets
    x = digits.test.x[:50]
    with torch.no_grad():
        assert torch.equal(result.model(x), trained.head(layer(x)[0][:, -1]))


def test_two_lstms_are_converted_each_with_its_own_ranges():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = strong(nn.LSTM(3, 5), 1), strong(nn.LSTM(5, 4), 2)

        def forward(self, x):
            return self.second(self.first(x)[0])[0]

    result = spikeseq.convert(Two(), calibration=[some()])
    assert names_of(result.model, SpikingLSTM) == ["first", "second"]
    assert [layer.name for layer in result.report.layers] == ["first", "second"]
    one, other = result.model.first, result.model.second
    assert (one.input_size, one.hidden_size, other.input_size, other.hidden_size) == (3, 5, 5, 4)
    assert one.threshold_l0.std() > 0
    assert not torch.equal(one.threshold_l0[:, :4], other.threshold_l0)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_every_configuration_of_lstm_as_the_model_itself(layers, both, first, bias):
    lstm = strong(nn.LSTM(3, 4, layers, batch_first=first, bidirectional=both, bias=bias, dropout=0.3 * (layers > 1)))
    lstm.eval()
    result = spikeseq.convert(lstm, ConvertConfig(time_steps=16), [some(), some(2, 9)])
    snn = result.model
    assert type(snn) is SpikingLSTM
    for name in ("input_size", "hidden_size", "num_layers", "batch_first", "bidirectional", "bias", "dropout"):
        assert getattr(snn, name) == getattr(lstm, name), name
    x = some(5, 7, seed=2)
    with torch.no_grad():
        out, (h, _) = snn(x)
        expected, (last, _) = lstm(x)
    assert out.shape == expected.shape
    assert h.shape == last.shape
    parts = [f"l{n}{s}" for n in range(layers) for s in ("", "_reverse")[: 1 + both]]
    assert [part.part for part in result.report.layers[0].parts] == parts
    # it is this LSTM, not just any: far nearer to its output than to that of one with other weights
    other = strong(copy.deepcopy(lstm), seed=9)(x)[0]
    assert (out - expected).norm() < 0.6 * (out - other).norm()


def test_packed_sequence_inside_forward():
    model, x = Packed(strong(nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True))), some()
    snn = spikeseq.convert(model, ConvertConfig(time_steps=4), [x]).model
    with torch.no_grad():
        together = snn(x)
        for row, length in enumerate((6, 4, 4, 1)):
            alone = snn.lstm(x[row : row + 1, :length])[0][0]
            torch.testing.assert_close(together[row, :length], alone)
            assert (together[row, length:] == 0).all()


def test_padding_does_not_reach_the_calibration():
    model, x = Packed(strong(nn.LSTM(3, 4, batch_first=True, bidirectional=True))), some()
    dirty = x.clone()
    for row, length in enumerate((6, 4, 4, 1)):
        dirty[row, length:] = 1000.0
    clean, other = (spikeseq.convert(model, calibration=[data]) for data in (x, dirty))
    for name, value in clean.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    assert clean.report.layers == other.report.layers


def test_packed_sequences_as_calibration_batches():
    lstm = strong(nn.LSTM(3, 4))
    rows = [some(1, n, seed=n)[0] for n in (6, 4, 1)]
    packed, single = (
        spikeseq.convert(lstm, calibration=data) for data in ([pack_sequence(rows)], [r.unsqueeze(1) for r in rows])
    )
    assert torch.equal(packed.model.threshold_l0, single.model.threshold_l0)
    assert torch.equal(packed.model.clip_l0, single.model.clip_l0)


def test_used_twice_in_forward_stays_one_layer():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = strong(nn.LSTM(4, 4))

        def forward(self, x):
            return self.lstm(3 * self.lstm(x)[0])[0]

    once = spikeseq.convert(Twice().lstm, calibration=[some(size=4)])
    result = spikeseq.convert(Twice(), calibration=[some(size=4)])
    assert names_of(result.model, SpikingLSTM) == ["lstm"]
    # both calls are in the calibration
    assert not torch.equal(result.model.lstm.threshold_l0, once.model.threshold_l0)


def test_the_same_lstm_in_two_modules_stays_shared():
    lstm = strong(nn.LSTM(3, 4, batch_first=True))

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = Whole(lstm), Whole(lstm)

        def forward(self, x):
            return self.a(x) + self.b(x)

    snn = spikeseq.convert(Pair(), calibration=[some()]).model
    assert names_of(snn, nn.LSTM) == []
    assert snn.a.lstm is snn.b.lstm
    assert isinstance(snn.a.lstm, SpikingLSTM)


def test_the_same_lstm_under_two_names_of_one_module_stays_shared():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = strong(nn.LSTM(3, 4, batch_first=True))
            self.decoder = self.encoder

        def forward(self, x):
            return self.encoder(x)[0] + self.decoder(x)[0]

    snn = spikeseq.convert(Pair(), calibration=[some()]).model
    assert names_of(snn, nn.LSTM) == []
    assert snn.encoder is snn.decoder


@pytest.mark.parametrize(
    "call",
    [
        lambda lstm, x: (lstm.flatten_parameters(), lstm(x))[1],
        lambda lstm, x: lstm(input=x),
        lambda lstm, x: lstm(x, hx=(torch.zeros(1, len(x), 4), torch.zeros(1, len(x), 4))),
        lambda lstm, x: lstm(x, (torch.zeros(1, len(x), 4), torch.zeros(1, len(x), 4))),
        lambda lstm, x: lstm(x, None),
    ],
    ids=["flatten_parameters", "input=", "hx=", "state", "None"],
)
def test_calls_that_nn_lstm_takes_work_after_conversion(call):
    lstm = strong(nn.LSTM(3, 4, batch_first=True))
    expected = spikeseq.convert(Whole(lstm), calibration=[some()]).model(some(seed=3))
    snn = spikeseq.convert(Idiomatic(lstm, call), calibration=[some()]).model
    assert torch.equal(snn(some(seed=3)), expected)


def test_element_by_element_is_calibrated_as_the_whole_sequence():
    """A model that carries the state itself drives its gates with U h as well: same preactivations, same ranges."""
    lstm = strong(nn.LSTM(3, 4, batch_first=True))
    whole, stepwise = (spikeseq.convert(kind(lstm), calibration=[some(8, 6)]) for kind in (Whole, Stepwise))
    assert torch.equal(whole.model(some(seed=3)), stepwise.model(some(seed=3)))
    torch.testing.assert_close(stepwise.model.lstm.threshold_l0, whole.model.lstm.threshold_l0)
    torch.testing.assert_close(stepwise.model.lstm.clip_l0, whole.model.lstm.clip_l0)


@pytest.mark.parametrize("mode", [(True, True), (True, False), (False, True), (False, False)])
def test_training_mode_is_kept_module_by_module(mode):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.dropout = nn.LSTM(3, 4), nn.Dropout(0.5)

        def forward(self, x):
            return self.dropout(self.lstm(x)[0])

    model = Net().train(mode[0])
    model.lstm.train(mode[1])
    snn = spikeseq.convert(model, calibration=[some()]).model
    assert (snn.training, snn.lstm.training, snn.dropout.training) == (mode[0], mode[1], mode[0])
    lstm = spikeseq.convert(nn.LSTM(3, 4).train(mode[0]), calibration=[some()]).model
    assert lstm.training == mode[0]


def test_calibration_runs_in_evaluation_mode():
    """Dropout between the layers must not disturb what is measured."""
    results = []
    for training in (True, False):
        lstm = strong(nn.LSTM(3, 4, 2, dropout=0.9)).train(training)
        results.append(spikeseq.convert(lstm, calibration=[some()]))
    assert results[0].report == results[1].report
    assert torch.equal(results[0].model.threshold_l1, results[1].model.threshold_l1)


@pytest.mark.parametrize("scheme", ["grid", "streams"])
@pytest.mark.parametrize("stage", ["hard", "quantized", "spiking"])
def test_the_given_model_is_untouched(trained, digits, scheme, stage):
    model = copy.deepcopy(trained).train()
    model.encoder.eval()
    x = digits.test.x[:20]
    state, output = copy.deepcopy(model.state_dict()), model(x)
    modes = [(name, type(m), m.training) for name, m in model.named_modules()]
    snn = spikeseq.convert(model, ConvertConfig(4, scheme=scheme, stage=stage), [digits.train.x[:50]]).model
    with torch.no_grad():
        for p in snn.parameters():
            p.add_(1)  # nor do the two share memory
    assert [(name, type(m), m.training) for name, m in model.named_modules()] == modes
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in snn.modules())
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(model(x), output)


def test_signature_type_and_precision_are_kept():
    model = Whole(strong(nn.LSTM(3, 4, batch_first=True))).double()
    snn = spikeseq.convert(model, calibration=[some().double()]).model
    assert type(snn) is Whole
    assert inspect.signature(snn.forward) == inspect.signature(model.forward)
    assert {p.dtype for p in snn.parameters()} == {torch.float64}
    x = some().double()
    assert snn(x).dtype == torch.float64
    assert torch.equal(snn(x, scale=2.0), 2 * snn(x))


def test_gradients_reach_the_converted_weights():
    snn = spikeseq.convert(Whole(strong(nn.LSTM(3, 4, batch_first=True))), calibration=[some()]).model
    snn(some()).square().sum().backward()
    for name in ("weight_ih_l0", "weight_hh_l0", "threshold_l0", "clip_l0"):
        assert (snn.lstm.get_parameter(name).grad != 0).any(), name


def test_calibration_comes_in_every_form():
    lstm = strong(nn.LSTM(3, 4, batch_first=True))
    x, target = some(8), torch.full((8,), torch.nan)
    forms = {
        "batches": list(x.split(4)),
        "generator": (batch for batch in x.split(4)),
        "pairs": [(batch, target) for batch in x.split(4)],
        "lists": [[batch, target] for batch in x.split(4)],
        "loader": DataLoader(TensorDataset(x, target), batch_size=4),
    }
    results = {name: spikeseq.convert(lstm, calibration=form) for name, form in forms.items()}
    for name, result in results.items():
        assert result.report == results["batches"].report, name
        assert torch.equal(result.model.threshold_l0, results["batches"].model.threshold_l0), name


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (ConvertConfig(stage="hard"), HardLSTM),
        (ConvertConfig(stage="quantized"), QuantizedLSTM),
        (ConvertConfig(), SpikingLSTM),
        (ConvertConfig(scheme="streams"), StreamLSTM),
    ],
)
@pytest.mark.parametrize("source", [nn.LSTM, spikeseq.nn.LSTM, HardLSTM])
def test_stages_and_sources(config, kind, source):
    layer = source(3, 4, batch_first=True)
    layer.load_state_dict(strong(nn.LSTM(3, 4)).state_dict())
    result = spikeseq.convert(layer, config, [some()])
    assert type(result.model) is kind
    assert result.report.layers[0].target == kind.__name__


def test_options_reach_the_spiking_layer():
    def kind(**options):
        return spikeseq.convert(nn.LSTM(3, 4), ConvertConfig(8, **options), [some()]).model.kind

    assert (kind().time_steps, kind().shift, kind().max_packet) == (8, 0.5, None)
    assert kind(shift="none").shift == 0.0
    assert kind(max_packet=1).max_packet == 1
    streams = spikeseq.convert(nn.LSTM(3, 4), ConvertConfig(2, scheme="streams", neuron="lif", leak=0.7), [some()])
    assert (streams.model.leak_l0 == 0.7).all()
    streams = spikeseq.convert(nn.LSTM(3, 4), ConvertConfig(2, scheme="streams", leak=0.7), [some()])
    assert (streams.model.leak_l0 == 1).all()  # IF has no leak


def test_without_data_the_ranges_are_fixed():
    result = spikeseq.convert(strong(nn.LSTM(3, 4)), ConvertConfig(thresholds="fixed"))
    assert (result.model.threshold_l0 == 4).all()
    assert (result.model.clip_l0 == 1).all()
    assert result.report.output_error is None
    assert result.report.layers[0].parts == ()


def test_a_converted_classifier_knows_its_time_steps():
    model = spikeseq.nn.SequenceClassifier(3, 4, 5)
    assert spikeseq.convert(model, ConvertConfig(time_steps=4), [some()]).model.time_steps == 4
