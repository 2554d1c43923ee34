"""What conversion does to the values: stages agree, the shift helps, more time steps help."""

import pytest
import torch
from torch import nn

import spikeseq
from spikeseq import ConvertConfig
from spikeseq.errors import ConversionError
from spikeseq.nn import QuantizedLSTM


@pytest.fixture(scope="module")
def errors(trained, digits):
    """A function: T and shift -> relative output error and test accuracy after conversion."""
    found = {}

    def of(time_steps, shift="optimal"):
        if (time_steps, shift) not in found:
            result = spikeseq.convert(trained, ConvertConfig(time_steps, shift=shift), digits.train.x[:256].split(64))
            with torch.no_grad():
                hits = (result.model(digits.test.x[:128]).argmax(-1) == digits.test.y[:128]).float().mean()
            found[time_steps, shift] = (result.report.output_error, float(hits))
        return found[time_steps, shift]

    return of


@pytest.mark.parametrize("time_steps", [2, 4])
def test_the_optimal_shift_beats_none(errors, time_steps):
    """Each with the thresholds that are best for it."""
    (error, accuracy), (bare, bare_accuracy) = errors(time_steps), errors(time_steps, "none")
    assert error < 0.9 * bare
    assert accuracy > bare_accuracy


def test_more_time_steps_come_nearer(errors):
    found = [errors(time_steps)[0] for time_steps in (1, 2, 4, 8, 16)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.5 * found[0]
    assert errors(16)[1] > 0.8


@pytest.mark.parametrize("time_steps", [1, 2, 4, 8, 16])
def test_quantised_equals_spiking_on_dyadic_weights(dyadic, time_steps):
    torch.manual_seed(time_steps)
    lstm = dyadic(nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True)).double()
    x = torch.randint(-16, 17, (3, 7, 4)).double() / 8
    quantized, spiking = (
        spikeseq.convert(lstm, ConvertConfig(time_steps, stage=stage, thresholds="fixed")).model
        for stage in ("quantized", "spiking")
    )
    with torch.no_grad():
        q, (h, _) = quantized(x)
        s, (sh, _) = spiking(x)
    assert (q != 0).float().mean() > 0.1
    assert torch.equal(q, s)
    assert torch.equal(h, sh)


@pytest.mark.parametrize("time_steps", [1, 2, 4])
def test_quantised_equals_spiking_up_to_ties_on_a_trained_model(trained, digits, time_steps):
    outputs = []
    for stage in ("quantized", "spiking"):
        model = spikeseq.convert(trained, ConvertConfig(time_steps, stage=stage), digits.train.x[:256].split(64)).model
        with torch.no_grad():
            outputs.append(model.encoder["inner"](digits.test.x[:100])[0])
    assert (outputs[0] != outputs[1]).float().mean() < 0.002
    assert (outputs[0] != 0).float().mean() > 0.1


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_quantised_layer_becomes_spikes_without_any_change_of_value(dyadic, shift):
    """Whatever the config says of the shift: the layer was trained with its own."""
    torch.manual_seed(0)
    layer = dyadic(QuantizedLSTM(4, 8, time_steps=4, shift=shift)).double()
    with torch.no_grad():
        layer.threshold_l0.fill_(2.0)
    x = torch.randint(-16, 17, (7, 3, 4)).double() / 8
    result = spikeseq.convert(layer, ConvertConfig(time_steps=4), [x])
    assert (layer(x)[0] != 0).any()
    assert torch.equal(result.model(x)[0], layer(x)[0])
    assert (result.model.threshold_l0 == 2).all()


def test_a_hard_layer_keeps_its_trained_ranges():
    layer = spikeseq.nn.HardLSTM(3, 4)
    with torch.no_grad():
        layer.threshold_l0.uniform_(2, 6)
        layer.clip_l0.uniform_(0.5, 1.5)
    snn = spikeseq.convert(layer, ConvertConfig(4), [torch.randn(6, 3, 3)]).model
    assert torch.equal(snn.threshold_l0, layer.threshold_l0)
    assert torch.equal(snn.clip_l0, layer.clip_l0)


def test_a_quantised_layer_cannot_become_hard_in_silence():
    with pytest.raises(ConversionError, match="hard"):
        spikeseq.convert(QuantizedLSTM(3, 4), ConvertConfig(stage="hard"), [torch.randn(6, 3, 3)])
