"""Log-mel as samples arrive: the features of the whole recording, each frame once its samples are there."""

from __future__ import annotations

import numpy as np
import pytest

from spikeseq.data.speech.logmel import decibels, log_mel, steps
from spikeseq.data.speech.streaming import LogMelStream
from spikeseq.errors import DataError


def test_a_second_in_pieces_of_any_length(speech_like) -> None:
    clip = speech_like(16_000)
    for lengths in ([160] * 100, [16_000], [1, 398, 1, 160, 0, 7000, 8440]):
        stream = LogMelStream()
        pieces = np.split(clip, np.cumsum(lengths)[:-1])
        found = [stream.push(piece) for piece in pieces]
        assert np.array_equal(np.concatenate(found), log_mel(clip))
    assert [len(f) for f in found] == [0, 0, 1, 1, 0, 43, 53]  # none late: frame n once 160 n + 400 samples are there


def test_a_long_recording_sample_by_sample(speech_like) -> None:
    recording, stream = speech_like(2_003, 4), LogMelStream()
    found = np.concatenate([stream.push(recording[k : k + 1]) for k in range(len(recording))])
    assert np.array_equal(found, steps(decibels(recording / 32768)))
    assert len(found) == 11


def test_two_streams_share_nothing(speech_like) -> None:
    one, other = LogMelStream(), LogMelStream()
    one.push(speech_like(399))
    assert len(other.push(speech_like(399))) == 0
    assert len(one.push(speech_like(1))) == 1


@pytest.mark.parametrize("samples", [np.zeros(400), np.zeros((2, 400), np.int16)])
def test_samples_of_another_kind(samples: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"pass int16 \[n\]"):
        LogMelStream().push(samples)
