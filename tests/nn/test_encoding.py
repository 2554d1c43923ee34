"""Encoded inputs of layers and cells: what is multiplied, exactness of the spiking layer, gradients, files and errors."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from spikeseq import ConvertConfig, convert
from spikeseq import nn as snn
from spikeseq.errors import ConfigError
from spikeseq.nn import observing
from spikeseq.nn.encoding import InputEncoding, input_encoding
from spikeseq.nn.spiking import as_spiking, unroll

L, B, I, H = 7, 3, 4, 6
CODED = ("int8", "delta")
codes = pytest.mark.parametrize("code", CODED)
KINDS = (snn.QuantizedLSTM, snn.SpikingLSTM, snn.StreamLSTM)
CELLS = (snn.QuantizedLSTMCell, snn.SpikingLSTMCell, snn.StreamLSTMCell)
STEP = torch.tensor([0.25, 0.5, 0.125, 1.0])


def dyadic(layer):
    """Weights and steps whose products and sums are exact."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.randint(-24, 25, p.shape, generator=generator) / 16)
            elif "input_step" in name:
                p.copy_(STEP)
    return layer.double()


def data(seed=1):
    return torch.randint(-40, 41, (L, B, I), generator=torch.Generator().manual_seed(seed)).double() / 16


def counts_of(x):
    u = x / STEP.double()
    return (u.sign() * (u.abs() + 0.5).floor()).clamp(-127, 127)


@codes
def test_the_product_is_that_of_the_integers(code):
    """A layer with an encoded input is the direct layer on ``s k``, with the weights of the code."""
    coded, direct = dyadic(snn.QuantizedLSTM(I, H, input_encoding=code)), dyadic(snn.QuantizedLSTM(I, H))
    x = data()
    with observing() as seen:
        output = coded(x)[0]
    assert torch.equal(seen[0].x, counts_of(x))
    _, weight = coded.kind.encoding.apply(x, coded.weight_ih_l0, coded.part("l0"))
    with torch.no_grad():
        direct.weight_ih_l0.copy_(weight / STEP.double())
    assert torch.equal(direct(counts_of(x) * STEP)[0], output)


def test_delta_is_a_running_sum():
    """Rows of weights added for each change alone give W x of every element, to the last bit."""
    layer = dyadic(snn.SpikingLSTM(I, H, input_encoding="delta"))
    x = data()
    k, weight = layer.kind.encoding.apply(x, layer.weight_ih_l0, layer.part("l0"))
    total, before = torch.zeros(B, 4 * H, dtype=torch.float64), torch.zeros(B, I, dtype=torch.float64)
    for n in range(L):
        for j in range(I):
            total = total + (k[n] - before)[:, j : j + 1] * weight[:, j]
        before = k[n]
        assert torch.equal(total, k[n] @ weight.t())
    assert torch.equal(weight, layer.weight_ih_l0 * STEP)


def test_int8_weights_are_multiples_of_a_power_of_two():
    torch.manual_seed(0)
    layer = snn.QuantizedLSTM(I, H, input_encoding="int8")
    _, weight = layer.kind.encoding.apply(torch.zeros(1, I), layer.weight_ih_l0, layer.part("l0"))
    scaled = layer.weight_ih_l0 * layer.input_step_l0
    for row, wanted in zip(weight, scaled, strict=True):
        unit = 2.0 ** torch.ceil(torch.log2(wanted.abs().max() / 127))
        q = row / unit
        assert torch.equal(q, q.round())
        assert 63 <= q.abs().max() <= 127
        assert (row - wanted).abs().max() <= unit / 2


@codes
@pytest.mark.parametrize("time_steps", [1, 2, 4])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}, {"bias": False}], ids=str)
def test_quantised_equals_spiking(code, time_steps, options):
    quantized = dyadic(snn.QuantizedLSTM(I, H, time_steps=time_steps, input_encoding=code, **options))
    spiking = unroll(quantized)
    assert spiking.kind.encoding == quantized.kind.encoding
    x = data()
    expected, (h, c) = quantized(x)
    output, state = spiking(x)
    assert expected.abs().sum() > 0
    assert torch.equal(output, expected)
    assert torch.equal(state.h, h)
    assert torch.equal(state.streams[:, :, time_steps - 1], c)
    assert torch.equal(as_spiking(quantized)(x)[0], expected)


@codes
@pytest.mark.parametrize("kind", [snn.SpikingLSTM, snn.StreamLSTM])
@pytest.mark.parametrize("order", ["serial", "layer", "wavefront"])
def test_every_order_gives_the_same_bits(code, kind, order):
    layer = dyadic(kind(I, H, 2, time_steps=4, input_encoding=code, batch_first=True))
    x = data().transpose(0, 1)
    output, state = layer(x)
    result = layer.run(x, order=order)
    assert torch.equal(result.output, output)
    for a, b in zip(result.state, state, strict=True):
        assert torch.equal(a, b)


@codes
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_lengths_and_packed_rows(code, kind, both):
    layer, x, lengths = dyadic(kind(I, H, 2, input_encoding=code, bidirectional=both)), data(), [7, 4, 1]
    dirty = x.clone()
    for row, length in enumerate(lengths):
        dirty[length:, row] = float("nan")
    padded = layer(dirty, lengths=lengths)[0]
    packed = layer(pack_sequence([x[:n, row] for row, n in enumerate(lengths)]))[0]
    for row, n in enumerate(lengths):
        assert torch.equal(padded[:n, row], layer(x[:n, row])[0])
    assert torch.equal(packed.data, pack_sequence([padded[:n, row] for row, n in enumerate(lengths)]).data)


@codes
@pytest.mark.parametrize("kind", KINDS)
def test_resuming_equals_one_run(code, kind):
    layer, x = dyadic(kind(I, H, input_encoding=code)), data()
    first, state = layer(x[:3])
    second, _ = layer(x[3:], state)
    assert torch.equal(torch.cat([first, second]), layer(x)[0])


@codes
def test_gradients_are_those_of_the_direct_layer_on_the_sent_values(code):
    """Straight through both roundings: on values the code can hold, input and weights get the direct layer's gradient."""
    coded, direct = dyadic(snn.QuantizedLSTM(I, H, input_encoding=code)), dyadic(snn.QuantizedLSTM(I, H))
    with torch.no_grad():  # few bits: 8 hold them whole
        for layer in (coded, direct):
            layer.weight_ih_l0.copy_((layer.weight_ih_l0 * 4).round() / 4)
    sent = counts_of(data()) * STEP
    grads = []
    for layer in (coded, direct):
        x = sent.clone().requires_grad_()
        layer(x)[0].square().sum().backward()
        grads.append([x.grad, *(p.grad for name, p in layer.named_parameters() if "input_step" not in name)])
    for a, b in zip(*grads, strict=True):
        assert (b != 0).any()
        torch.testing.assert_close(a, b)
    assert coded.input_step_l0.grad is None
    assert not coded.input_step_l0.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_values_out_of_range_get_no_gradient(kind):
    layer = dyadic(kind(I, H, input_encoding="int8"))
    x = data().requires_grad_()
    with torch.no_grad():
        x[:, :, 2] = 1000.0
        layer.weight_ih_l0[:, 2] = 2**-8  # what is clipped shall not saturate the gates
    layer(x)[0].sum().backward()
    assert (x.grad[:, :, 2] == 0).all()
    assert (x.grad[:, :, :2] != 0).any()


@codes
@pytest.mark.parametrize(("cell_kind", "kind"), list(zip(CELLS, KINDS, strict=True)))
def test_cells_equal_layers(code, cell_kind, kind):
    layer = dyadic(kind(I, H, time_steps=4, input_encoding=code))
    cell = cell_kind(I, H, time_steps=4, input_encoding=code).double()
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    assert not cell.input_step.requires_grad
    x, state, outputs = data(), None, []
    for element in x:
        output, state = cell(element, state)
        outputs.append(output)
    assert torch.equal(torch.stack(outputs), layer(x)[0])


@codes
@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_round_trip(code, kind):
    options = {"num_layers": 2, "bidirectional": True, "input_encoding": code}
    layer, twin = dyadic(kind(I, H, **options)), kind(I, H, **options).double()
    names = [name for name in layer.state_dict() if "input_step" in name]
    assert names == ["input_step_l0", "input_step_l0_reverse"]  # layers above take spikes
    twin.load_state_dict(layer.state_dict())
    x = data()
    assert torch.equal(twin(x)[0], layer(x)[0])
    assert torch.equal(copy.deepcopy(layer)(x)[0], layer(x)[0])


@codes
@pytest.mark.parametrize("source", [torch.nn.LSTM, snn.HardLSTM, snn.QuantizedLSTM])
def test_takes_the_weights_of_a_layer_without_a_code(code, source):
    """Steps, as ranges, that a plainer layer does not have keep their values; the others are taken."""
    layer, plain = snn.QuantizedLSTM(I, H, 2, input_encoding=code), source(I, H, 2)
    with torch.no_grad():
        layer.input_step_l0.copy_(STEP)
        if source is not torch.nn.LSTM:
            plain.threshold_l0.fill_(3.0)
    layer.load_state_dict(plain.state_dict())
    assert torch.equal(layer.weight_ih_l0, plain.weight_ih_l0)
    assert torch.equal(layer.input_step_l0, STEP)
    assert (layer.threshold_l0 == (4 if source is torch.nn.LSTM else 3)).all()
    with pytest.raises(RuntimeError, match="input_step_l0"):
        snn.QuantizedLSTM(I, H, 2).load_state_dict(layer.state_dict())


@codes
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precision(code, dtype):
    layer = snn.SpikingLSTM(I, H, input_encoding=code, dtype=dtype)
    assert layer.input_step_l0.dtype == dtype
    assert layer(data().to(dtype))[0].dtype == dtype


class WithLengths(torch.nn.Module):
    def __init__(self, lengths, **options):
        super().__init__()
        self.rnn, self.lengths = snn.LSTM(I, H, **options), lengths

    def forward(self, x):
        return self.rnn(x, lengths=self.lengths)[0]


@codes
@pytest.mark.parametrize("levels", [None, 8])
def test_a_conversion_fits_the_steps_to_the_data(code, levels):
    """The largest magnitude of each feature takes all levels; a feature that is always 0 takes the largest of all."""
    x = data().float()
    x[..., 1], x[..., 3] = 0.0, -x[..., 3].abs()
    largest = x.abs().amax((0, 1))
    largest[1] = largest.max()
    config = ConvertConfig(input_encoding=code, input_levels=levels)
    wanted = largest / (levels or {"int8": 127, "delta": 16}[code])
    rows = pack_sequence([x[:, row] for row in range(B)])
    for batches in ([x], [x[:3], x[3:]], [x[:, :1], x[:, 1:]], [(x, None)], [rows]):
        model = convert(torch.nn.LSTM(I, H, bidirectional=True), config, batches).model
        assert isinstance(model, snn.SpikingLSTM)
        assert model.kind.encoding == input_encoding(code, levels)
        for step in (model.input_step_l0, model.input_step_l0_reverse):
            torch.testing.assert_close(step.detach(), wanted)
    one = convert(torch.nn.LSTM(I, H), config, [x[:, 0]]).model  # one sequence without a batch
    assert one.input_step_l0[0] == x[:, 0, 0].abs().max() / one.kind.encoding.levels


@codes
def test_padding_takes_no_part_in_the_fit(code):
    x, config = data().float(), ConvertConfig(input_encoding=code)
    dirty = x.clone()
    dirty[4:, 1:] = 1e4
    wanted = torch.cat([x[:, :1].flatten(0, 1), x[:4, 1:].flatten(0, 1)]).abs().amax(0)
    for first, lengths in ((False, [7, 4, 4]), (True, torch.tensor([7, 4, 4]))):
        batch = dirty.transpose(0, 1) if first else dirty
        layer = convert(WithLengths(lengths, batch_first=first), config, [batch]).model.rnn
        torch.testing.assert_close(layer.input_step_l0.detach() * layer.kind.encoding.levels, wanted)
    layer = convert(WithLengths([4]), config, [dirty[:, 1]]).model.rnn
    torch.testing.assert_close(layer.input_step_l0.detach() * layer.kind.encoding.levels, x[:4, 1].abs().amax(0))


@codes
def test_data_of_zeros_leaves_the_steps(code):
    model = convert(torch.nn.LSTM(I, H), ConvertConfig(input_encoding=code), [torch.zeros(L, B, I)]).model
    assert torch.equal(model.input_step_l0, torch.full((I,), 1 / model.kind.encoding.levels))


def test_options_rebuild_the_encoding():
    for encoding in (InputEncoding(), InputEncoding("int8", 100), InputEncoding("delta", 16)):
        assert snn.QuantizedLSTM(I, H, **encoding.options()).kind.encoding == encoding


@pytest.mark.parametrize("kind", [*KINDS, *CELLS])
def test_errors(kind):
    with pytest.raises(ConfigError, match="input_encoding='dleta': did you mean 'delta'"):
        kind(I, H, input_encoding="dleta")
    for levels in (0, -1, 128, 1.5, True, "many"):
        with pytest.raises(ConfigError, match=r"input_levels=.*: pass None or a whole number from 1 to 127"):
            kind(I, H, input_encoding="delta", input_levels=levels)
    with pytest.raises(ConfigError, match='input_levels=16: a direct input has no levels; pass input_encoding="int8"'):
        kind(I, H, input_levels=16)


def test_errors_of_a_config():
    with pytest.raises(ConfigError, match="input_encoding='int8' with stage=\"hard\""):
        ConvertConfig(input_encoding="int8", stage="hard")
    with pytest.raises(ConfigError, match="input_levels=16: a direct input has no levels"):
        ConvertConfig(input_levels=16)
    with pytest.raises(ConfigError, match="input_levels=300"):
        ConvertConfig(input_encoding="delta", input_levels=300)
