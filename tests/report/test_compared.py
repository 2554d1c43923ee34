"""Parts of a comparison: curves, operations, histograms, records found and told apart, the frontier's points."""

import dataclasses
import math

import numpy as np
import pytest

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.report import comparison
from spikeseq.report.collect import Run, collect, tell_apart
from spikeseq.report.curves import compared_curves, validation_key
from spikeseq.report.frontier import points
from spikeseq.report.histogram import BINS, histograms
from spikeseq.report.operations import operation_bars, operation_rows
from spikeseq.report.page import Picture, Table, Text
from spikeseq.report.record import write_record

LAYER = {"name": "rnn", "macs": 640.0, "acs": 128.0, "gated_adds": 8.0, "comparisons": 0.0, "spikes": 64.0}


def history(*accuracies, loss=1.0):
    return [
        {"epoch": n, "train_loss": loss / (n + 1), "valid_accuracy": a, "valid_score": a}
        for n, a in enumerate(accuracies)
    ]


def config(**train):
    return {"data": {"name": "d"}, "model": {"cell": "torch_lstm", "options": {}}, "train": train, "seed": 0}


def test_curves_draw_every_seed_in_the_colour_of_its_model():
    figure = compared_curves({"a": [history(0.5, 0.6), history(0.4, 0.5)], "b": [history(0.9)]})
    loss, accuracy = figure.axes
    assert [len(axis.lines) for axis in figure.axes] == [3, 3]
    assert accuracy.lines[0].get_color() == accuracy.lines[1].get_color() != accuracy.lines[2].get_color()
    assert list(accuracy.lines[0].get_ydata()) == [50.0, 60.0]  # in %
    assert list(loss.lines[0].get_ydata()) == [1.0, 0.5]
    assert [text.get_text() for text in figure.legends[0].texts] == ["a", "b"]
    assert loss.get_yscale() == "linear"


def test_curves_of_losses_far_apart_are_logarithmic():
    loss = compared_curves({"a": [history(0.5, loss=30.0)], "b": [history(0.5)]}).axes[0]
    assert loss.get_yscale() == "log"


def test_the_validation_figure_is_accuracy_before_others():
    assert validation_key(history(0.5)) == "valid_accuracy"
    assert validation_key([{"epoch": 0, "valid_loss": 1.0, "valid_per": 0.2}]) == "valid_per"
    assert validation_key([{"epoch": 0, "valid_score": 1.0, "train_loss": 1.0}]) is None
    with pytest.raises(ConfigError, match="give histories"):
        compared_curves({"a": [[{"epoch": 0}]]})


def test_operations_for_each_element():
    (row,) = operation_rows("snn", {"per_layer": [LAYER], "elements": 64.0})
    assert row == {
        "model": "snn",
        "layer": "rnn",
        "macs": 10,
        "acs": 2,
        "gated_adds": 0.125,
        "comparisons": 0,
        "spikes": 1,
    }
    silent = {**row, "layer": "drop", "macs": 0.0, "acs": 0.0}
    axis = operation_bars([row, silent]).axes[0]
    assert sorted(bar.get_width() for bar in axis.patches) == [2, 10]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["snn: rnn"]
    with pytest.raises(ConfigError, match="leave the picture out"):
        operation_bars([silent])
    for bad in ({}, {"per_layer": [{}], "elements": 1.0}, {"per_layer": [LAYER], "elements": 0.0}):
        with pytest.raises(ConfigError, match="counts of snn are not those"):
            operation_rows("snn", bad)


def test_histograms_show_shares():
    values = np.concatenate([np.zeros(30), np.ones(10)])
    (axis,) = histograms({"threshold": {"i": values, "f": values.reshape(4, 10)}}).axes
    first, second = (patch.get_data() for patch in axis.patches)
    assert len(first.values) == BINS
    assert first.values[0] == pytest.approx(0.75)
    assert first.values[-1] == pytest.approx(0.25)
    assert np.array_equal(first.values, second.values)
    (constant,) = histograms({"leak": {"a": [0.9] * 5}}).axes
    assert sum(constant.patches[0].get_data().values) == pytest.approx(1)
    for nothing in ({}, {"leak": {}}, {"leak": {"a": []}}):
        with pytest.raises(ConfigError, match="leave it out"):
            histograms(nothing)


def test_collect_finds_each_record_once(make, tmp_path):
    one, other = make(seed=0), make(seed=1)
    write_record(one, tmp_path / "runs" / "a" / "record.json")
    (tmp_path / "runs" / "a" / "model.pt").write_bytes(b"")
    write_record(one, tmp_path / "results" / "seed0.json")
    write_record(other, tmp_path / "results" / "seed1.json")
    found = collect([tmp_path / "results", tmp_path / "runs" / "a", tmp_path / "results" / "seed1.json"])
    assert [run.record for run in found] == [one, other]
    assert [run.model for run in found] == [tmp_path / "runs" / "a" / "model.pt", None]
    (tmp_path / "empty").mkdir()
    for bad, said in (("gone", "is not there"), ("empty", "holds no record"), ("runs/a/model.pt", "is corrupt")):
        with pytest.raises(CheckpointError, match=said):
            collect([tmp_path / bad])


def test_trials_that_drew_the_same_are_called_by_their_folders(make, tmp_path):
    drawn = config(rate=0.0018714482940630054)
    runs = [Run(make("d/m", seed=0, config=drawn), tmp_path / name / "record.json") for name in ("0-ab", "7-ab")]
    runs.append(Run(make("d/m", seed=0, config=config(rate=0.5)), tmp_path / "3-cd" / "record.json"))
    assert [run.record.name for run in tell_apart(runs)] == [
        "d/m [rate=0.001871] (0-ab)", "d/m [rate=0.001871] (7-ab)", "d/m [rate=0.5]",
    ]  # fmt: skip


def test_runs_of_one_name_are_told_apart_by_what_differs(make, tmp_path):
    settings = [config(epochs=3), config(epochs=3) | {"seed": 1}, config(epochs=5, decay=0.1)]
    runs = [Run(make("d/m", seed=n, config=c), tmp_path) for n, c in enumerate(settings)]
    # decay is missing in two of them: older recipes, no difference
    assert [run.record.name for run in tell_apart(runs)] == ["d/m [epochs=3]", "d/m [epochs=3]", "d/m [epochs=5]"]
    assert [run.record.name for run in tell_apart(runs[:2])] == ["d/m", "d/m"]
    many = [Run(make("d/m", config=config(a=n, b=n, c=n, d=n)), tmp_path) for n in (1, 2)]
    assert tell_apart(many)[0].record.name == "d/m [a=1, b=1, c=1, +1 settings]"
    kinds = [runs[0], dataclasses.replace(runs[2], record=make("d/m", "evaluate", config=settings[2]))]
    assert [run.record.name for run in tell_apart(kinds)] == ["d/m", "d/m"]


def test_results_have_a_row_for_each_model(three):
    (table,) = comparison.results([*three])
    assert isinstance(table, Table)
    (row,) = table.rows
    assert (row["n"], row["test_accuracy"].mean, row["test_accuracy"].std) == (
        3,
        pytest.approx(0.9),
        pytest.approx(0.1),
    )
    assert [column.key for column in table.columns] == ["model", "time_steps", "n", "test_accuracy"]


def test_results_of_other_tasks_keep_their_figures(make):
    (table,) = comparison.results([make(test_bleu=21.5, test_accuracy=0.5)])
    assert "test_bleu" in [column.key for column in table.columns]
    (text,) = comparison.results([make()])
    assert text == Text("No record here has a figure of a test.")


def test_the_frontier_or_why_there_is_none(make):
    energy = {"energy_int32_pj": 500.0, "energy_int32_sram_pj": 900.0}
    drawn = [make("d/lstm", config=config(), test_accuracy=0.9, **energy)]
    sections = comparison.accuracy_energy(drawn, "d")
    assert [type(section) for section in sections] == [Picture, Picture, Text]
    assert "No frontier for fp32, arithmetic only" in sections[2].text
    assert [(p.energy, p.accuracy) for p in points(drawn)] == [(500.0, 0.9)]
    # an error rate is no accuracy: such a run is left out, not drawn wrongly
    (text,) = comparison.accuracy_energy([make("d/ctc", config=config(), test_per=0.2, **energy)], "d")
    assert "no record of this data set has both" in text.text


def test_curves_need_a_history(make):
    (missing,) = comparison.curves([make()], "d")
    assert missing == Text("No training curves: no record holds a history of epochs.")
    (there,) = comparison.curves([make(history=history(0.5, 0.6))], "d")
    assert isinstance(there, Picture)
    assert math.isclose(there.figure.axes[1].lines[0].get_ydata()[-1], 60)


def test_sources_name_commit_environment_and_one_command_for_each_name(three):
    table, environments, commands = comparison.sources(three)
    assert (table.rows[0]["seeds"], table.rows[0]["commit"]) == ("0, 1, 2", "0123456789")
    assert environments.text == "E1: python 3.11, torch 2.13"
    assert [row["command"] for row in commands.rows] == ["spikeseq train mnist_rows/spiking_t2"]
    (_, _) = comparison.sources([dataclasses.replace(three[0], command="")])
