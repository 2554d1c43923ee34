"""Under bfloat16 autocast, what counts spikes or carries a state gives the same bits as without."""

import pytest
import torch

from spikeseq.nn import (
    IF,
    LIF,
    LSTM,
    AdLIF,
    CubaLIF,
    GatedCurrent,
    GradedLIF,
    LIFCell,
    QuantizedLSTM,
    SpikingLSTM,
    SpikingLSTMCell,
    StreamLSTM,
    observing,
)
from spikeseq.nn.readout import Integrator
from spikeseq.ops.fuse import compiling

LAYERS = {
    "lstm": lambda: LSTM(6, 5),
    "quantized": lambda: QuantizedLSTM(6, 5, num_layers=2, time_steps=4),
    "spiking": lambda: SpikingLSTM(6, 5, time_steps=4, bidirectional=True),
    "unit spikes": lambda: SpikingLSTM(6, 5, time_steps=4, max_packet=1, batch_first=True),
    "streams": lambda: StreamLSTM(6, 5, time_steps=2, leak=0.9),
    "gated current": lambda: GatedCurrent(6, 5),
    "lif": lambda: LIF(6),
    "if": lambda: IF(6),
    "cuba": lambda: CubaLIF(6),
    "graded": lambda: GradedLIF(6),
    "adlif": lambda: AdLIF(6, 5),
    "integrator": lambda: Integrator("length"),
}


def tensors(value):
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in tensors(v)]


def run(layer, x, autocast):
    """Output and state, and the gradients."""
    layer.zero_grad()
    x = x.clone().requires_grad_()
    with compiling("never"), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output, state = layer(x)
    (output.float() ** 2).sum().backward()
    grads = [x.grad.float(), *(p.grad for p in layer.parameters() if p.grad is not None)]
    return [*tensors(output), *tensors(state)], grads


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_same_bits_with_and_without_autocast(name, given):
    torch.manual_seed(0)
    layer = LAYERS[name]().eval()
    x = (2 * torch.randn(9, 3, 6)).to(given)
    (found, grads), (wanted, (x_grad, *others)) = run(layer, x, True), run(layer, x.float(), False)
    assert all(tensor.dtype == torch.float32 for tensor in found)
    for own, other in zip([*found, *grads], [*wanted, x_grad.to(given).float(), *others], strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("cell", [SpikingLSTMCell(6, 5, time_steps=2), LIFCell(6)])
def test_cells(cell):
    x = torch.randn(4, 6).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        output, state = cell(x)
        output, state = cell(x, state)
    wanted, _ = cell(x.float(), cell(x.float())[1])
    assert output.dtype == torch.float32
    assert all(t.dtype == torch.float32 for t in tensors(state))
    assert torch.equal(output, wanted)


def test_packets_are_integers_behind_a_projection_in_bfloat16():
    """The projection is rounded, so the spikes may be others than in float32, but they are spikes."""
    torch.manual_seed(0)
    before, layer = torch.nn.Linear(7, 6), SpikingLSTM(6, 32, time_steps=4)
    with torch.autocast("cpu", torch.bfloat16), observing() as seen:
        x = before(torch.randn(20, 3, 7))
        assert x.dtype == torch.bfloat16
        output, _ = layer(x)
    spikes = seen[0].output
    assert spikes.abs().max() > 1  # packets, not only unit spikes
    assert torch.equal(spikes, spikes.round())
    assert torch.equal(output, spikes.sum(1) / 4)


def test_a_model_that_is_bfloat16_as_a_whole_stays_so():
    layer = LIF(6).bfloat16()
    assert layer(torch.randn(5, 2, 6).bfloat16())[0].dtype == torch.bfloat16


def test_wavefront():
    torch.manual_seed(0)
    layer, x = SpikingLSTM(6, 5, time_steps=4), torch.randn(6, 2, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.run(x).output, layer(x)[0])
