"""spikeseq sweep: table, plot and record of a tiny search, and what is refused."""

from pathlib import Path

import pytest

from spikeseq.report.record import new_record, read_record, write_record

pytest.importorskip("optuna")
RECIPE = str(Path(__file__).parents[2] / "recipes" / "digits_rows" / "spiking_t2.yaml")
SMALL = ["--set", "model.hidden_size=4", "--set", "train.epochs=1", "--set", "train.compile=never"]
SMALL += ["--set", "train.start_from=null", "--set", "train.teacher=null", "--set", "train.distillation=0"]


def test_a_search(spikeseq, few_digits):
    Path("space.yaml").write_text(
        "model.options.time_steps: [1, 2]\ntrain.learning_rate: {low: 1e-3, high: 0.1, log: true}\n"
    )
    command = ["sweep", RECIPE, "--space", "space.yaml", "--trials", "2", "--out", "found", *SMALL]
    ran = spikeseq(*command, "--objectives", "accuracy", "energy")
    assert ran.code == 0, ran.err
    assert "trial 0: " in ran.out
    assert "Pareto front of 2 trials" in ran.out
    assert "trials: 2 complete, 0 pruned, 0 failed -> found/sweep.json" in ran.out
    record = read_record("found/sweep.json")
    assert (record.kind, record.config["sweep"]["objectives"]) == ("bench", ["accuracy", "energy"])
    assert "train.learning_rate" in Path("found/front.txt").read_text()
    assert Path("found/front.png").read_bytes()[:4] == b"\x89PNG"
    spikeseq(*command).refused("of another recipe, space or objectives")
    assert spikeseq("report", "found", "--out", "page.html", "--sequences", "0").code == 0
    page = Path("page.html").read_text()
    assert "Sweep digits_rows/spiking_t2_sweep" in page
    assert "2 trials complete, 0 pruned, 0 failed. Searched: model.options.time_steps, train.learning_rate." in page
    assert "Pareto front of 2 trials: by validation accuracy and energy." in page
    assert "Left out" not in page.partition("Accuracy and energy")[0]
    for row in record.metrics["front"]:
        assert f"{row['train.learning_rate']:.5f}" in page
    drawn = "digits_rows/spiking_t2_sweep: validation accuracy and energy of each finished trial."
    assert f'alt="{drawn}"' in page

    ran = spikeseq(*command[:7], "one", *SMALL, "--objectives", "accuracy")
    assert ran.code == 0, ran.err
    assert "best of 2 trials" in ran.out
    assert spikeseq("report", "one/sweep.json", "--out", "page.html").code == 0
    assert "accuracy of each finished trial." in Path("page.html").read_text()
    assert Path("one/front.png").exists()


def test_refused(spikeseq):
    spikeseq("sweep", RECIPE, *SMALL).refused("space 'space.yaml' does not exist")
    Path("space.yaml").write_text("train.learning_rat: [1]\n")
    spikeseq("sweep", RECIPE, *SMALL).refused("train.learning_rat", "did you mean 'learning_rate'")
    spikeseq("sweep", RECIPE, "--workers", "0").refused("workers=0")


@pytest.mark.parametrize("gone", ["tables", "trials", "complete"])
def test_a_record_that_lacks_what_a_sweep_writes(spikeseq, gone):
    metrics = {"front": [], "trials": [], "tables": [], "complete": 0, "pruned": 0, "fail": 0}
    metrics = {key: value for key, value in metrics.items() if key != gone}
    plan = {"objectives": ["accuracy"], "space": {}}
    made = new_record("bench", "a/b_sweep", config={"sweep": plan}, seed=0, metrics=metrics, seconds=1.0)
    write_record(made, "sweep.json")
    spikeseq("report", "sweep.json").refused("record a/b_sweep: it holds no whole sweep", "run the sweep again")
