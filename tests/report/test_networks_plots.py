"""Pictures of a review and of event frames: what is drawn, and what is refused."""

import numpy as np
import pytest

from spikeseq.errors import ShapeError
from spikeseq.report.figure import png_bytes
from spikeseq.report.pictures import frames_and_spikes
from spikeseq.report.review import review


def test_review():
    random = np.random.default_rng(0)
    spikes = {"body.2": random.random((4, 6)) > 0.5, "body.5": np.zeros((4, 3))}
    figure = review(["a", "b", "c", "d"], np.array([0.5, 0.4, 0.8, 0.9]), spikes, "pos")
    top, first, second = figure.axes
    assert list(top.lines[1].get_ydata()) == [0.5, 0.4, 0.8, 0.9]
    assert len(first.collections[0].get_offsets()) == spikes["body.2"].sum()
    assert len(second.collections[0].get_offsets()) == 0
    assert [t.get_text() for t in second.get_xticklabels()] == ["a", "b", "c", "d"]
    assert png_bytes(figure)
    for words, p, s in (([], np.zeros(0), {}), (["a"], np.zeros(2), {}), (["a"], np.zeros(1), {"l": np.zeros((2, 3))})):
        with pytest.raises(ShapeError, match=r"pass L, \[L\] and \[L, H\] each"):
            review(words, p, s, "pos")


def test_frames():
    frames = np.zeros((3, 2, 4, 4))
    frames[0, 0, 1, 1], frames[1, 1, 2, 2] = 4, 4
    sent = np.zeros((3, 4, 2, 2))
    sent[1, :3, 0, 1] = 1
    figure = frames_and_spikes(frames, {"conv": sent, "dense": np.eye(3)}, ["7", "1", "7"], "digit 7")
    images = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert np.allclose(images[0][1, 1], (0, 0, 1))  # darker: blue
    assert np.allclose(images[1][2, 2], (1, 0, 0))  # brighter: red
    assert np.allclose(images[2], 1)
    assert images[4][0, 1] == 0.75
    assert len(images) == 6
    bars = next(axis for axis in figure.axes if axis.patches and not axis.images)
    assert [patch.get_height() for patch in bars.patches] == pytest.approx([1 / 3] * 3)
    assert png_bytes(figure)
    many = {f"convolution {n}": np.ones((10, 4, 8, 8)) for n in range(2)} | {"dense": np.ones((10, 5))}
    assert png_bytes(
        frames_and_spikes(np.ones((10, 2, 17, 17)), many, ["7"] * 10, "a title")
    )  # no warning of the layout
    with pytest.raises(ShapeError, match="do not fit one L"):
        frames_and_spikes(frames, {}, ["7"])
