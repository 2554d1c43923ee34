"""Is it accumulate-only, and what does it cost? Audit, count and price a converted network.

Run: python examples/audit_and_price.py
"""

import torch
from torch import nn

import spikeseq
from spikeseq import energy


class Tagger(nn.Module):
    """A model of your own: two LSTM layers and a readout at every element."""

    def __init__(self):
        super().__init__()
        self.lstm, self.readout = nn.LSTM(10, 32, num_layers=2, batch_first=True), nn.Linear(32, 4)

    def forward(self, x):
        return self.readout(self.lstm(x)[0])


def main():
    torch.manual_seed(0)
    model, x = Tagger().eval(), torch.randn(8, 20, 10)
    for encoding in ("direct", "int8", "delta"):
        config = spikeseq.ConvertConfig(time_steps=2, input_encoding=encoding)
        snn = spikeseq.convert(model, config, [x]).model
        energy.assert_accumulate_only(snn, x, allow=["input layer"])
        found = energy.compare(snn, x)
        gains = {form: found.energy(form)["LSTM"] / found.energy(form)["spiking"] for form in ("fp32", "int32")}
        print(f"{encoding:6} input: energy gain over the LSTM, fp32 {gains['fp32']:.1f}, int32 {gains['int32']:.1f}")
    print(energy.audit(model, x))  # the LSTM itself: what it multiplies, and where


if __name__ == "__main__":
    main()
