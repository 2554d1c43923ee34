"""Convert a layer of your own: register a handler for its type, and convert() treats it like an nn.LSTM.

Run: python examples/register_a_layer.py
"""

import torch
from torch import nn

import spikeseq
from spikeseq.conversion import LayerReport, register


class Sigmoid(nn.Module):
    """The layer: an analog gate between 0 and 1."""

    def forward(self, a):
        return torch.sigmoid(a)


class SpikingSigmoid(nn.Module):
    """Its spiking twin: an integrate-and-fire neuron with T time steps; the output is its spike count / T."""

    def __init__(self, time_steps, width):
        super().__init__()
        self.time_steps, self.width = time_steps, width

    def forward(self, a):
        drive = a / self.width + 0.5 + 0.5 / self.time_steps  # with the optimal shift, V / (2 T)
        v, count = torch.zeros_like(a), torch.zeros_like(a)
        for _ in range(self.time_steps):
            v = v + drive
            spikes = (v >= 1).to(a.dtype)
            v, count = v - spikes, count + spikes
        return count / self.time_steps


@register(Sigmoid)
def convert_sigmoid(layer, context):
    """A handler: the layer and a Context (name, config, calls during calibration) in, new layer and report out."""
    a = torch.cat([call.args[0].flatten() for call in context.calls])  # what the layer really saw
    widths = torch.linspace(1, 10, 91)
    errors = torch.stack([((a / w + 0.5).clamp(0, 1) - torch.sigmoid(a)).square().mean() for w in widths])
    width = float(widths[errors.argmin()])
    new = SpikingSigmoid(context.config.time_steps, width)
    return new, LayerReport(context.name, "Sigmoid", f"SpikingSigmoid of width {width:.1f}", spiking=("output",))


if __name__ == "__main__":
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), Sigmoid(), nn.Linear(16, 4))
    x = 4 * torch.randn(256, 8)
    for time_steps in (1, 2, 4, 8, 16):
        result = spikeseq.convert(model, spikeseq.ConvertConfig(time_steps=time_steps), calibration=[x])
        print(f"T = {time_steps:2}: relative error {result.report.output_error:.3f}")
    print(result.report)
