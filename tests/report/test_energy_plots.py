"""Bars are as high as the energy they stand for; the frontier joins the points that nothing beats."""

import itertools

import pytest
from matplotlib.image import imread

from spikeseq.errors import ConfigError, DataError
from spikeseq.report.energy_plots import Point, efficient, frontier, stacked_energy
from spikeseq.report.figure import save_png
from spikeseq.report.frontier import main, points
from spikeseq.report.record import write_record

PANELS = {
    "fp32": {"LSTM": {"l0": {"macs": 3000.0}, "readout": {"macs": 500.0}}, "spiking": {"l0": {"macs": 100.0, "acs": 900.0}}},
    "int32": {"LSTM": {"l0": {"macs": 2000.0}}, "spiking": {"l0": {"acs": 100.0, "memory": 100.0}}},
}  # fmt: skip


def test_bars_stack_to_the_totals():
    figure = stacked_energy(PANELS)
    for axis, bars in zip(figure.axes, PANELS.values(), strict=True):
        tops = {}
        for patch in axis.patches:
            place = round(patch.get_x() + patch.get_width() / 2)
            tops[place] = max(tops.get(place, 0), patch.get_y() + patch.get_height())
        totals = [sum(sum(parts.values()) for parts in bar.values()) / 1000 for bar in bars.values()]
        assert [tops[i] for i in range(len(totals))] == pytest.approx(totals)
        assert [label.get_text() for label in axis.get_xticklabels()] == list(bars)
        assert [text.get_text() for text in axis.texts] == [f"{total:,.1f}" for total in totals]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["l0", "readout", "MACs", "ACs", "memory"]  # what is drawn, and nothing else


def test_nothing_to_draw():
    for panels in ({}, {"fp32": {}}):
        with pytest.raises(ConfigError, match="at least one bar"):
            stacked_energy(panels)
    for bad in ([], [Point("a", "s", 0.0, 0.5)]):
        with pytest.raises(ConfigError, match="energy above 0"):
            frontier(bad)


def test_efficient_points():
    a, b, c, d = Point("a", "s", 1, 0.5), Point("b", "s", 2, 0.6), Point("c", "s", 2, 0.5), Point("d", "s", 3, 0.6)
    for order in itertools.permutations((a, b, c, d)):
        assert set(efficient(order)) == {a, b}
    twins = [Point("x", "s", 1, 0.5), Point("y", "s", 1, 0.5)]
    assert efficient(twins) == twins


def test_frontier_draws_every_point_and_the_line(tmp_path):
    made = [Point("a", "one", 1000, 0.5), Point("b", "two", 2000, 0.6), Point("c", "two", 4000, 0.55)]
    figure = frontier(made, "title")
    axis = figure.axes[0]
    line, *series = axis.lines
    assert list(zip(*line.get_data(), strict=True)) == [(1.0, 50.0), (2.0, 60.0)]
    drawn = [tuple(map(float, pair)) for s in series for pair in zip(*s.get_data(), strict=True)]
    assert drawn == [(1.0, 50.0), (2.0, 60.0), (4.0, 55.00000000000001)]
    assert [t.get_text() for t in axis.texts] == ["a", "b", "c"]
    assert axis.get_xscale() == "log"
    save_png(figure, tmp_path / "frontier.png")
    assert imread(tmp_path / "frontier.png").std() > 0.01


def record(make, name, cell, seed, **metrics):
    steps = {"time_steps": 2} if cell == "quantized_lstm" else {}
    config = {"data": {"name": "mnist"}, "model": {"cell": cell, "options": steps}}
    return make(name, "train", seed, config, **metrics)


@pytest.fixture
def records(make):
    spiking = [
        record(
            make, "m/t2", "quantized_lstm", seed, test_accuracy=0.9 + seed / 100, quantized_accuracy=0.8,
            energy_int32_pj=100.0, matched_int32_pj=300.0, energy_int32_sram_pj=700.0, matched_int32_sram_pj=800.0,
        )
        for seed in (0, 1)
    ]  # fmt: skip
    lstm = record(make, "m/lstm", "torch_lstm", 0, test_accuracy=0.95, energy_int32_pj=1000.0)
    return [*spiking, lstm, record(make, "m/old", "torch_lstm", 0, test_accuracy=0.5)]


def test_points_are_means_over_seeds(records):
    found = {(p.series, p.label): (p.energy, p.accuracy) for p in points(records)}
    assert found == {
        ("LSTM", "lstm"): (1000.0, 0.95), ("spiking, T = 2", "t2"): (100.0, pytest.approx(0.905)),
        ("dense 2-level LSTM", ""): (300.0, 0.8),
    }  # fmt: skip
    assert [p.energy for p in points(records, memory=True)] == [700.0, 800.0]
    with pytest.raises(DataError, match="no record holds an energy"):
        points(records, "fp32")


def test_command(records, tmp_path, capsys):
    for number, r in enumerate(records):
        write_record(r, tmp_path / "results" / f"{number}.json")
    assert main([str(tmp_path / "a.png"), str(tmp_path / "results")]) == 0
    assert imread(tmp_path / "a.png").shape[:2] == (540, 900)
    assert main([str(tmp_path / "b.png"), str(tmp_path / "results"), "--format", "fp16"]) == 2
    assert not (tmp_path / "b.png").exists()
    assert main([str(tmp_path / "b.png"), str(tmp_path / "nowhere")]) == 2
    assert "no record holds an energy" in capsys.readouterr().err
