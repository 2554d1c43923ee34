"""A model of your own with an nn.LSTM in it: train it in plain PyTorch, convert it in three lines, see what is left.

Run: python examples/convert_own_lstm.py      (about ten seconds; scikit-learn's digits, 8 rows of 8 pixels)
"""

import torch
from torch import nn

import spikeseq
from spikeseq import data


class DigitReader(nn.Module):
    """Reads an image row by row; any model with nn.LSTM layers anywhere in it will do."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 64, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(64, 10))

    def forward(self, x):
        _, (h, _) = self.lstm(x)  # still works after the conversion
        return self.head(h[-1])


def train(model, split, epochs=15):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(split.y)).split(64):
            loss = nn.functional.cross_entropy(model(split.x[rows]), split.y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


@torch.no_grad()
def accuracy(model, split):
    hits = [model(x).argmax(-1) == y for x, y in zip(split.x.split(64), split.y.split(64), strict=True)]
    return torch.cat(hits).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    digits = data.load("digits", order="rows")
    model = train(DigitReader(), digits.train)

    config = spikeseq.ConvertConfig(time_steps=4)
    result = spikeseq.convert(model, config, calibration=digits.train.x.split(64))
    snn = result.model

    print(result.report)
    print(f"test accuracy of the float LSTM:     {accuracy(model, digits.test):.4f}")
    print(f"test accuracy of the spiking LSTM:   {accuracy(snn, digits.test):.4f} (T = 4, no further training)")
