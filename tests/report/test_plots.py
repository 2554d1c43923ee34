"""Pictures: every number is drawn where it belongs; nothing touches pyplot."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.report.figure import COLOURS
from spikeseq.report.plots import accuracy_over_time_steps, lines, raster, save_png, training_curves

SERIES = {"with shift": [(4, 0.9), (1, 0.5), (2, 0.8)]}


def markers(figure: Figure) -> list[tuple[float, float, float]]:
    """All markers of a raster: x, y, area."""
    drawn = figure.axes[0].collections
    return [(x, y, size) for c in drawn for (x, y), size in zip(c.get_offsets(), c.get_sizes(), strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_raster_draws_one_marker_per_spike_at_its_place(seed):
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(1, 12, size=3))
    spikes = np.where(generator.random(shape) < 0.3, generator.integers(-3, 4, shape), 0)
    drawn = markers(raster(spikes))
    assert len(drawn) == np.count_nonzero(spikes)
    expected = sorted((n + (t + 0.5) / shape[1], unit) for n, t, unit in np.argwhere(spikes))
    np.testing.assert_allclose(sorted((x, y) for x, y, _ in drawn), expected)


def test_raster_tells_signs_and_packets_apart():
    figure = raster(np.array([[[1, -1, 3, -2, 0]]], dtype=np.int8))
    positive, negative = figure.axes[0].collections
    assert [y for _, y in positive.get_offsets()] == [0, 2]
    assert [y for _, y in negative.get_offsets()] == [1, 3]
    assert not np.array_equal(positive.get_facecolor(), negative.get_facecolor())
    assert not np.array_equal(positive.get_paths()[0].vertices, negative.get_paths()[0].vertices)
    for drawn in (positive, negative):
        unit_spike, packet = drawn.get_sizes()
        assert packet >= 2 * unit_spike
    assert "4 spikes, rate 0.800" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_raster_takes_any_dtype_of_spikes_and_silence(dtype):
    assert len(markers(raster(np.ones((2, 3, 4), dtype=dtype)))) == 24
    assert markers(raster(np.zeros((2, 3, 4), dtype=dtype))) == []


@pytest.mark.parametrize(
    "spikes", [np.zeros((2, 3)), np.zeros((0, 1, 1)), np.full((1, 1, 1), 0.5), np.full((1, 1, 1), np.nan)]
)
def test_raster_refuses_what_is_no_spikes(spikes):
    with pytest.raises(ShapeError, match="spikes"):
        raster(spikes)


def test_accuracy_is_drawn_in_percent_over_sorted_steps():
    axis = accuracy_over_time_steps(SERIES, {"float LSTM": 0.99}).axes[0]
    series, baseline = axis.get_lines()
    assert list(series.get_xdata()) == [1, 2, 4]
    assert list(series.get_ydata()) == pytest.approx([50, 80, 90])
    assert list(baseline.get_ydata()) == pytest.approx([99, 99])
    assert baseline.get_label() == "float LSTM 99.00%"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "2", "4"]
    with pytest.raises(ConfigError, match="no series"):
        accuracy_over_time_steps({}, {})


def test_lines_scale_and_refuse():
    assert lines([1, 2], {"a": [1, float("nan")]}, "x", "y").axes[0].get_ylim()[0] == 0
    axis = lines([50, 800], {"a": [1, 2]}, "L", "ms", "title", log="xy").axes[0]
    assert (axis.get_xscale(), axis.get_yscale(), axis.get_title(loc="left")) == ("log", "log", "title")
    with pytest.raises(ShapeError, match="'a' has 1 values for 2"):
        lines([1, 2], {"a": [1]}, "x", "y")
    with pytest.raises(ConfigError, match="log is 'z'"):
        lines([1], {"a": [1]}, "x", "y", log="z")


def test_training_curves_skip_empty_cells_and_split_panels():
    rows = [{"epoch": "0", "train_loss": "2.5", "valid_accuracy": ""}, {"epoch": 1, "valid_accuracy": 0.5, "lr": 1}]
    loss, accuracy = training_curves(rows).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy [%]")
    assert list(zip(*loss.get_lines()[0].get_data(), strict=True)) == [(0, 2.5)]
    assert list(zip(*accuracy.get_lines()[0].get_data(), strict=True)) == [(1, 50)]
    with pytest.raises(ConfigError, match="no rows"):
        training_curves([{"epoch": 1, "lr": 0.1}])


FIGURES = {
    "accuracy": lambda: accuracy_over_time_steps(SERIES, {"float LSTM": 0.99}),
    "raster": lambda: raster(np.ones((3, 2, 4))),
    "lines": lambda: lines([1, 2], {f"series number {i}": [i, i] for i in range(6)}, "x [s]", "y [ms]"),
    "curves": lambda: training_curves([{"epoch": e, "train_loss": 1, "valid_accuracy": 0.1} for e in range(3)]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_png_is_900_wide_repeatable_and_nothing_sticks_out(name, tmp_path):
    figure = FIGURES[name]()
    first = save_png(figure, tmp_path / "a.png").read_bytes()
    assert first == save_png(FIGURES[name](), tmp_path / "b.png").read_bytes()
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] == 900
    inches = figure.get_tightbbox()
    assert inches.x0 >= 0
    assert inches.y0 >= 0
    assert inches.x1 <= figure.get_figwidth()
    assert inches.y1 <= figure.get_figheight()
    for axis in figure.axes:
        assert axis.get_xlabel()
        assert axis.get_ylabel()


@pytest.mark.parametrize("name", ["accuracy", "raster", "lines"])
def test_legend_covers_no_axes(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert not any(legend.get_window_extent().overlaps(axis.get_window_extent()) for axis in figure.axes)


def test_colours_differ():
    assert len(set(COLOURS)) == len(COLOURS)


def test_pyplot_and_lightning_stay_out():
    code = "import sys, spikeseq.report.plots, spikeseq.report.page, spikeseq.report.table as t; t.results_page([])\n"
    code += "print([m for m in ('matplotlib.pyplot', 'lightning') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
