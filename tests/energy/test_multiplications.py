"""Multiplications of a classifier beside a GRU: by hand from what its layers send, as published and corrected."""

import pytest
import torch

from spikeseq.energy import count, multiplications
from spikeseq.nn import FrameClassifier, SequenceClassifier, observing

N, L, I, H, O = 5, 9, 4, 6, 3
LENGTHS = torch.tensor([9, 7, 9, 2, 5])


def trained(cell, layers=2, **options):
    torch.manual_seed(2)
    model = FrameClassifier(I, H, O, cell, layers, options=options)
    for _ in range(3):
        model.train()(torch.randn(N, L, I))
    return model


def sent(model, x):
    """Non-zeros that W of layer 0 meets, and of each layer's output, over the elements that are there, for each element."""
    there = (torch.arange(L)[:, None] < LENGTHS).unsqueeze(-1)
    with observing() as seen:
        model.eval().rnn(x, lengths=LENGTHS)
    values = [seen[0].x, *(own.output for own in seen)]
    return [float(((v != 0) & there).sum()) / float(LENGTHS.sum()) for v in values]


def gru(inputs=I, layers=2):
    return inputs * 3 * H + layers * (3 * H * H + 12 * H) + (layers - 1) * H * 3 * H + H * O


@pytest.mark.parametrize("input_bits", [None, 4])
def test_gated_currents(input_bits):
    x = torch.randn(N, L, I)
    batch = {"x": x, "lengths": LENGTHS}
    for variant in ("v1", "v2"):
        model = trained("gated_current", variant=variant, input_bits=input_bits)
        y0, y1, y2 = sent(model, x)
        assert (y0 < I) == bool(input_bits)
        assert 0 < y1 < H
        common = y0 * 2 * H + y1 * 2 * H + y2 * O + 2 * 8 * H
        corrected = common + (2 * H * (y1 + y2) if variant == "v2" else 0)
        found = multiplications(model, batch)
        assert found == pytest.approx({
            "multiplications_published": common + 2 * H * (y0 + y1), "multiplications_corrected": corrected,
            "fewer_multiplications_published": gru() / (common + 2 * H * (y0 + y1)),
            "fewer_multiplications_corrected": gru() / corrected,
        })  # fmt: skip


def test_padding_counts_nothing():
    model = trained("gated_current")
    x = torch.randn(N, L, I)
    longer = torch.cat([x, torch.full((N, 3, I), 7.0)], 1)
    one, other = (multiplications(model, {"x": v, "lengths": LENGTHS}) for v in (x, longer))
    assert one == pytest.approx(other)


def test_dense_networks_and_their_zeros():
    x = torch.randn(N, L, I)
    x[..., 0] = 0
    model = SequenceClassifier(I, H, O, "torch_gru", num_layers=2)
    found = multiplications(model, x)
    assert found["multiplications_published"] == found["multiplications_corrected"] == gru(I - 1)
    assert found["fewer_multiplications_corrected"] == 1
    lstm = multiplications(SequenceClassifier(I, H, O), x)
    assert lstm["multiplications_published"] == (I - 1) * 4 * H + 4 * H * H + 12 * H + H * O


@pytest.mark.parametrize("cell", ["spiking_gated_current", "adlif", "spiking_lstm"])
def test_cells_that_were_not_published(cell):
    model = trained(cell).eval()
    batch = {"x": torch.randn(N, L, I), "lengths": LENGTHS}
    found = multiplications(model, batch)
    assert set(found) == {"multiplications_corrected", "fewer_multiplications_corrected"}
    assert found["multiplications_corrected"] == count(model, batch).macs_per_element
    if cell == "spiking_gated_current":
        assert found["multiplications_corrected"] == 2 * H * I  # the input layer alone


def test_one_direction_only():
    assert multiplications(SequenceClassifier(I, H, O, bidirectional=True), torch.randn(N, L, I)) == {}
