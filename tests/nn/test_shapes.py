"""Checks at the border and the remedy for a misspelt name (spikeseq/shapes.py, spikeseq/errors.py)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.errors import ConfigError, ShapeError, SpikeseqError, nearest
from spikeseq.shapes import TIME_STEPS, check_lengths, check_max_packet, check_sequence, check_time_steps


@given(st.integers(-40, 40))
def test_time_steps_are_powers_of_two_up_to_16(value):
    if value in (1, 2, 4, 8, 16):
        assert check_time_steps(value) == value
    else:
        with pytest.raises(ConfigError, match=f"time_steps={value}: T must be a power of two up to 16; pass one of"):
            check_time_steps(value)


@pytest.mark.parametrize("value", [True, None, "2", 2.5])
def test_time_steps_of_another_type(value):
    with pytest.raises(ConfigError, match=f"time_steps={value!r}"):
        check_time_steps(value)


def test_time_steps_are_the_promised_ones():
    assert TIME_STEPS == (1, 2, 4, 8, 16)
    assert type(check_time_steps(2.0)) is int


@pytest.mark.parametrize("value", [None, 1, 2, 31])
def test_packets(value):
    assert check_max_packet(value) == value


@pytest.mark.parametrize("value", [0, -1, 1.5, True, False])
def test_packets_that_cannot_be(value):
    with pytest.raises(ConfigError, match=f"max_packet={value!r}: pass None .no limit. or a whole number"):
        check_max_packet(value)


@pytest.mark.parametrize("lengths", [[1, 2, 5], torch.tensor([1, 2, 5]), torch.tensor([1, 2, 5], dtype=torch.uint8)])
def test_lengths(lengths):
    out = check_lengths(lengths, 3, 5)
    assert out.tolist() == [1, 2, 5]
    assert out.dtype == torch.int64


@pytest.mark.parametrize("lengths", [[1, 2], [[1, 2, 3]], 3, [1.0, 2.0, 3.0], [1, 2, 6], [0, 1, 1], [-1, 1, 1]])
def test_lengths_that_cannot_be(lengths):
    with pytest.raises(ShapeError, match=r"lengths (has|holds)"):
        check_lengths(lengths, 3, 5)


def test_a_batch_that_is_first_or_second():
    check_sequence(torch.zeros(0, 2, 3), 3, True)  # an empty batch is a batch
    check_sequence(torch.zeros(2, 0, 3), 3, False)
    check_sequence(torch.zeros(1, 3), 3, True)
    for shape, first in (((2, 0, 3), True), ((0, 2, 3), False), ((0, 3), True)):
        with pytest.raises(ShapeError, match="a sequence needs at least one element"):
            check_sequence(torch.zeros(shape), 3, first)


def test_errors_are_ours_and_of_the_built_in_kind():
    assert issubclass(ShapeError, SpikeseqError)
    assert issubclass(ShapeError, ValueError)


def test_nearest():
    assert nearest("wavefrnt", ("serial", "layer", "wavefront")) == (
        "did you mean 'wavefront'? valid: layer, serial, wavefront"
    )
    assert nearest("q", ("serial", "layer")) == "valid: layer, serial"
