"""Gantt charts: each element is drawn in its cell, idle cells stay blank."""

import numpy as np
import pytest

from spikeseq.errors import ConfigError
from spikeseq.report.figure import COLOURS, png_bytes
from spikeseq.report.gantt import LABELS, gantt

ROWS = {"layer 1 t=1": [1, 2, 7, 0], "layer 1 t=2": [0, 1, 2, 7]}


def test_every_element_has_its_cell_colour_and_number():
    figure = gantt({"wavefront": ROWS, "other": {"layer 1 t=1": [0, 3]}})
    first, second = figure.axes
    (image,) = first.images
    assert tuple(image.get_extent()) == (0.5, 4.5, 1.5, -0.5)  # cycle k from k - 1/2 to k + 1/2, first row on top
    cells = image.get_array()
    assert np.array_equal(cells.mask, [[0, 0, 0, 1], [1, 0, 0, 0]])
    assert cells.compressed().tolist() == [0, 1, 0, 0, 1, 0]  # element 7 has the colour of element 1 again
    assert len(COLOURS) == 6
    numbers = {(t.get_position(), t.get_text()) for t in first.texts}
    assert numbers == {((1, 0), "1"), ((2, 0), "2"), ((3, 0), "7"), ((2, 1), "1"), ((3, 1), "2"), ((4, 1), "7")}
    assert [t.get_text() for t in first.get_yticklabels()] == list(ROWS)
    assert first.get_title(loc="left") == "wavefront"
    assert second.get_xlim() == first.get_xlim() == (0.5, 4.5)  # panels compare by length
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_large_charts_keep_within_bounds():
    rows = {f"row {k}": list(range(1, 101)) for k in range(64)}
    figure = gantt({"a": rows, "b": rows})
    assert figure.get_size_inches()[1] < 9
    assert len(figure.axes[0].get_yticks()) <= LABELS
    assert figure.axes[0].get_yticklabels()[1].get_text() == "row 3"
    assert not figure.axes[0].texts


@pytest.mark.parametrize("panels", [{}, {"a": {}}, {"a": {"x": []}}, {"a": {"x": [1], "y": [1, 2]}}])
def test_what_cannot_be_drawn(panels):
    with pytest.raises(ConfigError, match=r"gantt got no panels|panel 'a'"):
        gantt(panels)
