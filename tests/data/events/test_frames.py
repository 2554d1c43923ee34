"""Events -> frames: each event in its slice, channel and place, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.data.events.frames import Events, Framing, to_frames
from spikeseq.errors import ConfigError, DataError

SIDE = 8


def events(rows):
    """(x, y, p, t) each."""
    columns = np.array(sorted(rows, key=lambda row: row[3]), np.int64).reshape(-1, 4).T
    return Events(*columns)


rows = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 1), st.integers(0, 99)), max_size=40)


def by_hand(rows, framing):
    """The definition, event by event."""
    rows = sorted(rows, key=lambda row: row[3])
    frames = np.zeros((framing.frames, framing.channels(), framing.size, framing.size))
    for n, (x, y, p, t) in enumerate(rows):
        if framing.by == "count":
            k = n * framing.frames // len(rows)
        elif framing.window is not None:
            k = t // framing.window
        else:
            k = t * framing.frames // (rows[-1][3] + 1)
        if k < framing.frames:
            block = SIDE // framing.size
            frames[k, p if framing.polarity else 0, y // block, x // block] += 1
    return frames if framing.most is None else np.minimum(frames, framing.most)


@given(
    rows, st.integers(1, 6), st.sampled_from([1, 2, 4, 8]), st.sampled_from(["time", "count"]), st.booleans(),
    st.sampled_from([None, 1, 2]), st.sampled_from([None, 7, 30]),
)  # fmt: skip
def test_every_event_is_where_it_belongs(rows, frames, size, by, polarity, most, window):
    framing = Framing(frames, size, by, window if by == "time" else None, polarity, most)
    found = to_frames(events(rows), framing, SIDE)
    assert found.dtype == np.float32
    assert np.array_equal(found, by_hand(rows, framing))


@given(rows.filter(len), st.integers(1, 6), st.sampled_from(["time", "count"]))
def test_none_is_lost_or_made_up(rows, frames, by):
    assert to_frames(events(rows), Framing(frames, SIDE, by), SIDE).sum() == len(rows)


def test_slices_by_count_differ_by_one_event_at_most():
    found = to_frames(events([(n % 8, 0, 0, n * n) for n in range(23)]), Framing(5, SIDE, "count"), SIDE)
    assert set(found.sum((1, 2, 3))) == {4, 5}


def test_an_empty_recording_gives_empty_frames():
    assert not to_frames(events([]), Framing(3, 4), SIDE).any()


def test_a_part_of_a_recording_begins_at_0():
    part = events([(0, 0, 0, 5), (1, 1, 1, 10), (2, 2, 0, 19), (3, 3, 1, 20)]).between(10, 20)
    assert [a.tolist() for a in part] == [[1, 2], [1, 2], [1, 0], [0, 9]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 0}, "frames=0 is not valid"),
        ({"size": 3}, r"size=3 is not valid; use one of \[1, 2, 4, 8\], the divisors of 8"),
        ({"size": True}, "size=True"),
        ({"by": "tim"}, "by='tim' is not valid; did you mean 'time'"),
        ({"by": "count", "window": 5}, "window=5 with by='count'"),
        ({"window": 0}, "window=0 is not valid"),
        ({"polarity": 1}, "polarity=1 is not valid"),
        ({"most": 0}, "most=0 is not valid"),
    ],
)
def test_what_cannot_be(options, words):
    with pytest.raises(ConfigError, match=words):
        Framing(**{"frames": 2, "size": 4, **options}).check(SIDE)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Events(*np.array([[8], [0], [0], [0]])), "rec: an event at 8, the sensor has 8 x 8 pixels"),
        (Events(*np.array([[0], [-1], [0], [0]])), "the file is damaged"),
        (Events(*np.array([[0], [0], [2], [0]])), "polarities run to 2"),
        (Events(*np.array([[0, 0], [0, 0], [0, 0], [5, 4]])), "times fall"),
        (Events(np.zeros(2), np.zeros(1), np.zeros(1), np.zeros(1)), "as many of each are needed"),
    ],
)
def test_damaged_recordings(bad, words):
    with pytest.raises(DataError, match=words):
        to_frames(bad, Framing(2, 8), SIDE, "rec")
