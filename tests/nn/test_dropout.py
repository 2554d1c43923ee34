"""Dropout for sequences: one mask for each, explicit, and nothing in evaluation."""

import pytest
import torch

from spikeseq import nn as snn
from spikeseq.errors import ConfigError, ShapeError

L, B = 6, 4


def test_one_mask_for_all_elements_of_a_sequence():
    torch.manual_seed(0)
    layer, x = snn.SequenceDropout(0.25), torch.ones(L, B, 500)
    dropped, state = layer(x)
    assert (dropped == dropped[0]).all()  # held over the elements
    assert torch.equal(dropped[0], state.mask)
    assert state.mask.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert not torch.equal(dropped[:, 0], dropped[:, 1])  # another one for each row
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)  # kept in the mean


def test_the_mask_goes_on_where_it_is_handed_on_and_is_drawn_anew_where_not():
    torch.manual_seed(0)
    layer, x = snn.SequenceDropout(0.5), torch.ones(L, B, 3, 5)
    _, state = layer(x[:2])
    again, last = layer(x[2:], state)
    assert torch.equal(again[0], state.mask)
    assert torch.equal(last.mask, state.mask)
    assert not torch.equal(layer(x)[1].mask, state.mask)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_nothing_in_evaluation_or_at_p_0(p):
    layer, x = snn.SequenceDropout(p), torch.randn(L, B, 3)
    if p:
        layer.eval()
    output, state = layer(x)
    assert output is x
    assert state is None


def test_layouts():
    torch.manual_seed(0)
    layer, x = snn.SequenceDropout(0.5, batch_first=True), torch.ones(B, L, 30)
    dropped, state = layer(x)
    assert torch.equal(dropped, state.mask.unsqueeze(1).expand(B, L, 30))
    alone, one = snn.SequenceDropout(0.5)(x[0])
    assert torch.equal(alone, one.mask.expand(L, 30))


def test_what_cannot_be():
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match=f"p={p}: pass a probability"):
            snn.SequenceDropout(p)
    with pytest.raises(ShapeError, match=r"state.mask has shape \(4, 2\): pass \(4, 3\)"):
        snn.SequenceDropout(0.5)(torch.ones(L, B, 3), snn.DropoutState(torch.ones(B, 2)))
