"""Layers of synaptic currents: training statistics without padding, dropout, coded input, sizes, and what cannot work."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn import normed_kind
from spikeseq.nn.normalize import EPS, drive
from spikeseq.nn.observe import observing
from spikeseq.ops.fuse import compiling
from spikeseq.ops.sigma_delta import tracked_range

L, B, I, H = 9, 4, 3, 5
LENGTHS = [4, 9, 1, 6]
IMPROVED = {"rounding": "nearest", "levels": "unsigned", "range": "learned", "bits": 3, "threshold_levels": 0}
LAYERS = {
    "published": (snn.GatedCurrent, {"bits": 4, "threshold_levels": 1}),
    "coded": (snn.GatedCurrent, {"variant": "v1", "input_bits": 5}),
    "improved": (snn.GatedCurrent, IMPROVED),
    "levels": (snn.SpikingGatedCurrent, {"time_steps": 4}),
    "hard": (snn.HardGatedCurrent, {}),
    "leaky": (snn.LeakyCurrent, {"bits": 4, "threshold_levels": 0}),
    "adlif": (snn.AdLIF, {}),
}
names = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def never_compile():
    with compiling("never"):
        yield


def make(name, layers=2, **options):
    torch.manual_seed(0)
    kind, settings = LAYERS[name]
    layer = kind(I, H, layers, dtype=torch.float64, **settings, **options)
    with torch.no_grad():
        for parameter, value in layer.named_parameters():
            if parameter.startswith("norm_gain"):
                value.fill_(12.0 if name == "adlif" else 1.5)
    return layer


def ragged(fill=0.0):
    torch.manual_seed(1)
    x = torch.randn(L, B, I, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        x[length:, row] = fill
    return x


def everything(layer, x, lengths):
    """Outputs, state, buffers and gradients of a training step."""
    output, state = layer(x, lengths=lengths)
    trained = [p for p in layer.parameters() if p.requires_grad]
    grads = torch.autograd.grad(output.square().sum(), trained)
    return [output, *state, *(b.clone() for b in layer.buffers()), *grads]


@names
@pytest.mark.parametrize("fill", [1e6, float("nan")])
@pytest.mark.parametrize("more", [0, 7])
def test_padding_changes_nothing_in_training(name, fill, more):
    """Neither its values nor its amount: statistics, ranges and gradients are those of what is there."""
    expected = everything(make(name, bidirectional=True), ragged(), LENGTHS)
    padded = torch.cat([ragged(fill), torch.full((more, B, I), fill, dtype=torch.float64)])
    found = everything(make(name, bidirectional=True), padded, LENGTHS)
    found[0] = found[0][:L]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    assert expected[0].abs().sum() > 0


@pytest.mark.parametrize("code", ["int8", "delta"])
def test_a_coded_input_meets_the_weights_with_the_norm_in_them(monkeypatch, code):
    """int8: what is multiplied in evaluation is 8 bits and a power of two for each row, not 8 bits and a gain."""
    torch.manual_seed(0)
    layer = snn.SpikingGatedCurrent(I, H, time_steps=4, input_encoding=code, dtype=torch.float64)
    x = torch.rand(L, B, I, dtype=torch.float64)
    with torch.no_grad():
        layer.norm_gain_l0.uniform_(0.3, 3.0)
        for _ in range(50):
            layer(x)
    made = []
    monkeypatch.setattr(normed_kind, "drive", lambda *given: made.append(drive(*given)) or made[-1])
    output = layer.eval()(x)[0]
    (source,) = made
    assert torch.equal(source.x, source.x.round())
    scale = layer.norm_gain_l0 / torch.sqrt(layer.norm_var_l0 + EPS)
    wanted = scale[:, None] * layer.weight_ih_l0 * layer.input_step_l0
    if code == "int8":
        unit = 2.0 ** torch.ceil(torch.log2(wanted.abs().amax(1, keepdim=True) / 127))
        q = source.weight / unit
        assert torch.equal(q, q.round())
        assert q.abs().amax(1).min() >= 63
        assert q.abs().max() <= 127
        assert ((source.weight - wanted).abs() <= unit / 2).all()
    else:
        torch.testing.assert_close(source.weight, wanted)
    direct = snn.SpikingGatedCurrent(I, H, time_steps=4, dtype=torch.float64).eval()
    direct.load_state_dict({name: value for name, value in layer.state_dict().items() if "input_step" not in name})
    expected = direct(x)[0]
    assert expected.mean() > 0.05
    assert (output - expected).abs().mean() < 0.05  # a level is 0.25
    found, whole = (torch.nn.functional.linear(*one) for one in made)
    torch.testing.assert_close(found, whole, rtol=0, atol=whole.abs().max().item() * (0.02 if code == "int8" else 0.1))


@names
def test_packed_and_padded_are_one_in_training(name):
    x = ragged()
    rows = [x[:length, row] for row, length in enumerate(LENGTHS)]
    packed, _ = make(name)(pack_sequence(rows, enforce_sorted=False))
    output, _ = make(name)(x, lengths=LENGTHS)
    expected = pack_sequence([output[:length, row] for row, length in enumerate(LENGTHS)], enforce_sorted=False)
    torch.testing.assert_close(packed.data, expected.data)


def test_the_drive_is_normalised_over_what_is_there_and_nothing_else():
    layer = make("hard", layers=1)
    x = ragged(5.0)
    there = torch.cat([x[:length, row] for row, length in enumerate(LENGTHS)])
    product = there @ layer.weight_ih_l0.t()
    layer(x, lengths=LENGTHS)
    torch.testing.assert_close(layer.norm_mean_l0, 0.1 * product.mean(0))
    torch.testing.assert_close(layer.norm_var_l0, 0.9 + 0.1 * product.var(0))
    plain = torch.nn.BatchNorm1d(2 * H, dtype=torch.float64)
    with torch.no_grad():
        plain.weight.fill_(1.5)
    drive = plain(product)
    # the first element of row 2, its only one: h = (1 - z) c from a zero state
    n = sum(LENGTHS[:2])
    z, c = (drive[n, :H] / 4 + 0.5).clamp(0, 1), drive[n, H:].clamp(0, 1)
    torch.testing.assert_close(layer.train()(x, lengths=LENGTHS)[0][0, 2], (1 - z) * c)


@names
def test_evaluation_is_training_with_frozen_statistics(name):
    """Folded into the weights: the same function as normalising with what was measured."""
    layer = make(name)
    for _ in range(3):
        layer(2 * ragged() + 1, lengths=LENGTHS)
    measured = [b.clone() for b in layer.buffers()]
    layer.eval()
    x = ragged()
    output, _ = layer(x, lengths=LENGTHS)
    assert all(torch.equal(a, b) for a, b in zip(layer.buffers(), measured, strict=True))
    with torch.no_grad():  # the same weights without normalisation
        for k in range(2):
            part = layer.values(f"l{k}")
            scale = part["norm_gain"] / (part["norm_var"] + 1e-5).sqrt()
            part["weight_ih"].mul_(scale[:, None])
            part["bias_ih"].sub_(scale * part["norm_mean"])
            part["norm_gain"].fill_(1.0)
            part["norm_mean"].fill_(0.0)
            part["norm_var"].fill_(1.0 - 1e-5)
    torch.testing.assert_close(layer(x, lengths=LENGTHS)[0], output)


def test_the_range_is_tracked_across_calls_and_frozen_in_evaluation():
    """Two calls are one long run for the moving averages; evaluation uses them and leaves them."""
    x = ragged().abs() * 3
    one, two = (make("published", 1, batch_norm=False) for _ in range(2))
    whole, end = one(x)
    first, state = two(x[:4])
    second, last = two(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for a, b in zip((*last, two.range_l0), (*end, one.range_l0), strict=True):
        torch.testing.assert_close(a, b)
    assert one.range_l0[1].item() == pytest.approx(1 - 0.9**L)
    frozen = one.range_l0.clone()
    one.eval()(100 * x)
    assert torch.equal(one.range_l0, frozen)
    reach = tracked_range(*frozen)
    k = one(x)[0] / (reach / (8 * (1 - 1e-4)))
    torch.testing.assert_close(k, k.round())
    assert k.abs().max() <= 7


def test_one_dropout_mask_for_each_sequence():
    """A dropped candidate stays dropped along the sequence; others are scaled; each call draws anew."""
    layer = make("hard", layers=1, batch_norm=False, recurrent_dropout=0.5)
    with torch.no_grad():
        for parameter, value in layer.named_parameters():
            if parameter.startswith(("weight", "bias")):
                value.zero_()
        layer.bias_ih_l0[H:] = 0.25  # z = 1/2, c = 1/4: h goes to 1/4, or to 1/2 where it is scaled
    x = ragged()
    output, _ = layer(x)
    ends = output[-1]
    assert set(ends.round(decimals=2).unique().tolist()) == {0.0, 0.5}
    assert (output[:, ends == 0] == 0).all()
    assert not torch.equal(layer(x)[0][-1], ends)
    torch.testing.assert_close(layer.eval()(x)[0][-1], torch.full_like(ends, 0.25), rtol=0, atol=1e-2)


def test_a_coded_input_is_the_sigma_delta_of_x():
    layer = make("coded", 1, bidirectional=True).train()
    x = ragged()
    layer(x, lengths=LENGTHS)
    reach = tracked_range(*layer.input_range_l0)
    assert reach > 0.1
    layer.eval()
    with snn.observing() as seen:
        _, state = layer(x, lengths=LENGTHS)
    y = seen[0].x
    unit = reach / (16 * (1 - 1e-4))
    torch.testing.assert_close(y / unit, (y / unit).round(), rtol=0, atol=1e-9)
    # what was sent is what came in, but for the residual that the state keeps
    torch.testing.assert_close(y.sum(0) + state.input[0], x.sum(0))
    assert state.input.shape == (2, B, I)
    assert len(state) == 4


def test_a_state_of_a_coded_input_that_does_not_fit():
    layer = make("coded", 2)
    state = layer(ragged())[1]
    with pytest.raises(ShapeError, match=r"state\[3\] has shape \(2, 4, 3\): pass \(1, 4, 3\)"):
        layer(ragged(), (*state[:3], state.input.repeat(2, 1, 1)))
    with pytest.raises(ShapeError, match="state has 3 tensors: pass the 4 of CodedCurrentState"):
        layer(ragged(), state[:3])


def weights(layer):
    return sum(p.numel() for name, p in layer.named_parameters() if name.startswith("weight"))


def test_half_the_parameters_of_an_lstm():
    """At the published size, 2 x 550 units on 40 features, weights alone: 1.859 M against 3.718 M, 0.649 M, 0.325 M."""
    i, h = 40, 550
    make = {
        "lstm": torch.nn.LSTM(i, h, 2, device="meta"),
        "gru": torch.nn.GRU(i, h, 2, device="meta"),
        "v2": snn.GatedCurrent(i, h, 2, device="meta"),
        "v1": snn.GatedCurrent(i, h, 2, variant="v1", device="meta"),
        "levels": snn.SpikingGatedCurrent(i, h, 2, device="meta"),
        "conventional": snn.LeakyCurrent(i, h, 2, device="meta"),
        "adlif": snn.AdLIF(i, h, 2, device="meta"),
    }
    counted = {name: weights(layer) for name, layer in make.items()}
    assert counted == {
        "lstm": 4 * h * (i + h) + 4 * h * 2 * h, "gru": 2_788_500, "v2": 1_859_000, "v1": 649_000, "levels": 1_859_000,
        "conventional": 324_500, "adlif": 929_500,
    }  # fmt: skip
    assert counted["lstm"] == 2 * counted["v2"] == 3_718_000
    # norm gains and biases, 2 x 1100 a layer; nothing else is learned in the published form
    assert sum(p.numel() for p in make["v2"].parameters()) == 1_859_000 + 2 * 2 * 1100


def test_initial_values():
    layer = snn.GatedCurrent(40, 64, 1)
    for block in layer.weight_hh_l0.chunk(2):
        torch.testing.assert_close(block @ block.t(), 2 * torch.eye(64), rtol=0, atol=1e-4)
    assert layer.weight_ih_l0.abs().max() <= (6 / 40) ** 0.5
    assert (layer.bias_ih_l0 == 0).all()
    assert not hasattr(layer, "bias_hh_l0")
    other = snn.AdLIF(40, 64)
    for name, low, high in (("alpha", 0.818, 0.961), ("beta", 0.967, 0.992), ("p", -1, 1), ("q", 0, 2)):
        value = other.get_parameter(f"{name}_l0")
        assert low <= value.min() < value.max() <= high


def test_adlif_neurons_do_not_hear_themselves():
    layer = make("adlif", 1).eval()
    x = ragged()
    before = layer(x)[0]
    with torch.no_grad():
        layer.weight_hh_l0.diagonal().fill_(100.0)
    assert before.sum() > 0
    assert torch.equal(layer(x)[0], before)


def test_the_state_as_of_a_gru():
    """One tensor in and out; from h the current starts where it was, without what y had not said."""
    for kind, options in ((snn.SpikingGatedCurrent, {"time_steps": 16}), (snn.HardGatedCurrent, {})):
        layer = kind(I, H, 2, candidate="signed", batch_norm=False, gru_state=True, dtype=torch.float64, **options)
        x = ragged()
        output, h = layer(x)
        assert isinstance(h, torch.Tensor)
        assert torch.equal(h[-1], output[-1])
        twin = kind(I, H, 2, candidate="signed", batch_norm=False, dtype=torch.float64, **options)
        twin.load_state_dict(layer.state_dict())
        assert torch.equal(twin(x)[1][0], h)
        resumed, _ = layer(x[5:], layer(x[:5])[1])
        assert (resumed - output[5:]).abs().max() <= (0 if kind is snn.HardGatedCurrent else 0.15)
        single, h = layer(x[:, 0])
        assert (single.shape, h.shape) == ((L, H), (2, H))
    start = torch.tensor([[[0.4]]])
    layer = snn.SpikingGatedCurrent(1, 1, batch_norm=False, gru_state=True, time_steps=2, candidate="signed")
    assert [v.item() for v in layer.kind.take_in((start,))] == [0.5, pytest.approx(0.4), 0]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, raised while it compiles
def test_compiled_equals_eager():
    """The published form in training, with padding: it tracks its range over the rows that are there."""
    found = []
    for mode in ("always", "never"):
        layer = make("published", layers=1).float()
        with compiling(mode):
            found.append(everything(layer, ragged().float(), LENGTHS))
    assert torch.equal(found[0][0] != 0, found[1][0] != 0)
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@names
def test_the_cell_is_one_element_of_the_layer(name):
    kinds = {
        snn.GatedCurrent: snn.GatedCurrentCell, snn.SpikingGatedCurrent: snn.SpikingGatedCurrentCell,
        snn.HardGatedCurrent: snn.HardGatedCurrentCell, snn.LeakyCurrent: snn.LeakyCurrentCell, snn.AdLIF: snn.AdLIFCell,
    }  # fmt: skip
    layer = make(name, layers=1)
    layer(ragged())  # statistics and ranges of their own
    cell = kinds[LAYERS[name][0]](I, H, dtype=torch.float64, **LAYERS[name][1])
    cell.load_state_dict({n.removesuffix("_l0"): v for n, v in layer.state_dict().items()})
    cell.eval()
    layer.eval()
    x, state, outputs = ragged(), None, []
    for element in x:
        output, state = cell(element, state)
        outputs.append(output)
    expected, last = layer(x)
    torch.testing.assert_close(torch.stack(outputs), expected)
    assert type(state) is type(last)
    for a, b in zip(state, last, strict=True):
        torch.testing.assert_close(a, b[0])
    one, _ = cell(x[0, 0])
    torch.testing.assert_close(one, expected[0, 0])
    # training moves the cell's own statistics
    before = [b.clone() for b in cell.buffers()]
    cell.train()(x[0])
    assert all(not torch.equal(a, b) for a, b in zip(cell.buffers(), before, strict=True))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (snn.GatedCurrent, {"variant": "v3"}, "variant='v3': .*valid: v1, v2"),
        (snn.GatedCurrent, {"bits": 12}, "bits=12: pass a whole number from 1 to 8"),
        (snn.GatedCurrent, {"bits": 1}, "threshold_levels=3: with bits=1"),
        (
            snn.GatedCurrent,
            {"bits": 1, "threshold_levels": 0},
            "bits=1: .*sends 0, .*rounding='nearest' or levels='unsigned'",
        ),
        (snn.GatedCurrent, {"input_bits": 1}, "input_bits=1: .*sends 0, whatever it gets; pass rounding='nearest'$"),
        (snn.GatedCurrent, {"bits": 4.0}, r"bits=4\.0"),
        (snn.GatedCurrent, {"recurrent_dropout": "a"}, "recurrent_dropout='a': pass a probability"),
        (snn.LeakyCurrent, {"first_leak": 1.5}, "first_leak=1.5: pass a factor from 0 to 1"),
        (snn.LeakyCurrent, {"levels": "unsigned"}, "levels='unsigned': .*may be negative"),
        (snn.GatedCurrent, {"range": "fixed"}, "range='fixed': .*valid: ema, learned"),
        (snn.GatedCurrent, {"input_bits": 0}, "bits=0"),
        (snn.GatedCurrent, {"recurrent_dropout": 1.0}, "recurrent_dropout=1.0: pass a probability"),
        (snn.SpikingGatedCurrent, {"time_steps": 3}, "time_steps=3"),
        (snn.SpikingGatedCurrent, {"candidate": "tanh"}, "candidate='tanh': .*valid: relu, signed"),
        (snn.HardGatedCurrent, {"recurrent_dropout": -0.1}, "recurrent_dropout=-0.1"),
        (snn.LeakyCurrent, {"rounding": "floor"}, "rounding='floor'"),
        (snn.AdLIF, {"form": "euler"}, "form='euler': .*valid: forward, symplectic"),
    ],
)
def test_options_that_cannot_work(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        kind(I, H, **options)


def test_the_first_leak():
    assert torch.equal(snn.LeakyCurrent(I, H).leak_l0, torch.ones(H))
    layer = snn.LeakyCurrent(I, H, 2, first_leak=0.75)
    assert torch.equal(layer.leak_l0, torch.full((H,), 0.75))
    assert torch.equal(layer.leak_l1, torch.full((H,), 0.75))


@pytest.mark.parametrize(
    ("variant", "range_", "levels"),
    [
        ("v1", "ema", "unsigned"),
        ("v1", "learned", "signed"),
        ("v2", "learned", "unsigned"),
        ("v2", "learned", "signed"),
    ],
)
def test_one_bit_works_in_a_layer_that_is_trained(variant, range_, levels):
    """In evaluation every layer sends, and not always; the loss has fallen."""
    torch.manual_seed(0)
    layer = snn.GatedCurrent(
        6, 16, 2, variant=variant, bits=1, threshold_levels=0, rounding="nearest", levels=levels, range=range_
    )
    x, wanted = torch.randn(30, 8, 6), torch.rand(8, 16)
    optimizer = torch.optim.Adam(layer.parameters(), lr=3e-2)
    losses = []
    for _ in range(30):
        loss = (layer(x)[0].mean(0) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    with torch.no_grad(), observing() as seen:
        layer.eval()(x)
    sent = [s.output != 0 for s in seen]
    assert len(sent) == 2
    for spikes in sent:
        assert 0.02 < spikes.double().mean() < 0.98
        assert spikes.any(0).any(0).sum() > 8  # of 16 units


def test_one_element_has_no_variance():
    layer = snn.GatedCurrent(I, H)
    with pytest.raises(
        ShapeError, match=r"x holds one element: batch_norm needs two or more in training; call eval\(\)"
    ):
        layer(torch.zeros(1, 1, I))
    assert layer.eval()(torch.zeros(1, 1, I))[0].shape == (1, 1, H)
