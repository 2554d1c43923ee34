"""spikeseq report: what is on the page, what is left out and why, errors."""

import html
import json
import re
import shutil

import pytest


def words(page):
    """The page's text, separated by single blanks, without figures."""
    return " ".join(
        html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)).split()
    )


def captions(page):
    return re.findall(r'<img alt="(.*?)"', page.read_text())


def test_everything_that_runs_can_show(spikeseq, made_runs, tmp_path):
    ran = spikeseq("report", *made_runs, "--out", "a/report.html", "--sequences", "2")
    assert (ran.code, ran.err) == (0, "")
    page = tmp_path / "a" / "report.html"
    text, figures = words(page), captions(page)
    assert f"3 records, {len(figures)} figures" in ran.out
    assert "lstm - 2 91.00 ± 1.41" in text  # mean and spread over the two seeds
    assert "snn 2 1 90.00" in text
    for part in (
        "arithmetic only",
        "training loss",
        "of each layer",
        "snn, rnn l0: spikes",
        "thresholds, of one",
        "T = 2, layers = 1",
    ):
        assert sum(part in figure for figure in figures) >= 1, part
    assert "Left out for lstm: no layer of it sends spikes." in text
    assert "Left out for lstm: it has no threshold and no leak." in text
    assert "No frontier for int32, with access to memory: no record holds an energy" in text
    # 8 inputs, 8 units: 4 H I products with the analog input are left, and none with the spikes
    assert re.search(r"snn rnn\.l0 256 ", text)
    assert "spikeseq train digits_rows/snn.yaml" in text


def test_records_alone_say_what_is_missing(spikeseq, made_runs, tmp_path):
    shutil.copy(made_runs[2] / "record.json", tmp_path / "one.json")
    assert spikeseq("report", "one.json", "--out", "report.html").code == 0
    text = words(tmp_path / "report.html")
    assert "No operations of each layer: no model file lies beside the records" in text
    assert "No spikes: no model file" in text
    assert "No thresholds and leaks: no model file" in text
    assert any("T = 2, layers = 1" in figure for figure in captions(tmp_path / "report.html"))


def test_no_data_asked_for(spikeseq, made_runs, tmp_path, monkeypatch):
    monkeypatch.setattr("spikeseq.cli.model_look.load_data", lambda recipe: pytest.fail("data were loaded"))
    assert spikeseq("report", made_runs[2], "--sequences", "0", "--out", "report.html").code == 0
    text = words(tmp_path / "report.html")
    assert "Left out for snn: sequences=0 asked for no look at data." in text
    assert any("thresholds" in figure for figure in captions(tmp_path / "report.html"))


def test_operations_of_an_energy_record(spikeseq, made_runs, tmp_path):
    content = json.loads((made_runs[2] / "record.json").read_text())
    layer = {"name": "rnn", "macs": 640.0, "acs": 128.0, "gated_adds": 0.0, "comparisons": 0.0, "spikes": 64.0}
    content |= {"kind": "evaluate", "name": "digits_rows/snn_energy"}
    del content["sha256"]
    content["metrics"] = {"counts": {"spiking": {"per_layer": [layer], "elements": 64.0}}, "spike_rate": 0.25}
    (tmp_path / "energy.json").write_text(json.dumps(content))
    assert spikeseq("report", "energy.json", "--out", "report.html").code == 0
    assert "snn rnn 10 2 0 0 1" in words(tmp_path / "report.html").replace(".0", "")


def test_configurations_of_one_name_are_told_apart(spikeseq, made_runs, tmp_path):
    content = json.loads((made_runs[0] / "record.json").read_text())
    content["config"]["train"]["epochs"] = 9
    del content["sha256"]
    (tmp_path / "long.json").write_text(json.dumps(content))
    assert spikeseq("report", made_runs[0], made_runs[1], "long.json", "--out", "report.html").code == 0
    text = words(tmp_path / "report.html")
    assert "lstm [epochs=4] 2 91.00" in text
    assert "lstm [epochs=9] 1 90.00" in text


def test_a_record_given_twice_counts_once(spikeseq, made_runs, tmp_path):
    shutil.copy(made_runs[2] / "record.json", tmp_path / "copy.json")
    ran = spikeseq("report", "copy.json", made_runs[2], made_runs[2].parent, "--out", "report.html")
    assert "1 records," in ran.out
    assert "snn, rnn l0: spikes" in " ".join(captions(tmp_path / "report.html"))  # the model beside it is found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone"], ("'gone' is not there", "pass folders of runs")),
        (["empty"], ("'empty' holds no record",)),
        (["broken.json"], ("broken.json is corrupt or truncated",)),
        (["foreign"], ("other.json is not a spikeseq record",)),
        (["same"], ("several records of one seed",)),
        (["damaged"], ("model.pt", "cannot be read")),
        (["good", "--sequences", "-1"], ("sequences=-1",)),
        (["good", "--out", "broken.json/page.html"], ("broken.json",)),
    ],
)
def test_errors(spikeseq, made_runs, tmp_path, arguments, said):
    record = (made_runs[0] / "record.json").read_text()
    for folder in ("empty", "foreign", "same", "damaged", "good"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken.json").write_text(record[:-40])
    (tmp_path / "foreign" / "other.json").write_text("{}")
    for folder in ("damaged", "good"):
        (tmp_path / folder / "record.json").write_text(record)
    (tmp_path / "damaged" / "model.pt").write_bytes(b"no model")
    (tmp_path / "same" / "a.json").write_text(record)
    other = {name: value for name, value in json.loads(record).items() if name != "sha256"}
    (tmp_path / "same" / "b.json").write_text(json.dumps(other | {"started": "2025-01-31T13:00:00+00:00"}))
    spikeseq("report", *arguments).refused(*said)


def test_runs_are_needed(spikeseq):
    assert spikeseq("report").code != 0
