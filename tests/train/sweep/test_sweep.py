"""Sweeps: what is tried and kept, a worker that is killed, several workers, and a PostgreSQL server."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import two_processes

optuna = pytest.importorskip("optuna")
sqlalchemy = pytest.importorskip("sqlalchemy")

from spikeseq import data as data_sets  # noqa: E402
from spikeseq.errors import ConfigError, LostProcessError, SpikeseqError  # noqa: E402
from spikeseq.report.record import read_record, write_record  # noqa: E402
from spikeseq.train.fit import fit  # noqa: E402
from spikeseq.train.recipe import make_recipe  # noqa: E402
from spikeseq.train.sweep import study as studies  # noqa: E402
from spikeseq.train.sweep import worker as working  # noqa: E402
from spikeseq.train.sweep.result import front, record_of, trial_rows  # noqa: E402
from spikeseq.train.sweep.space import make_space, with_key  # noqa: E402
from spikeseq.train.sweep.study import RETRIES, Sweep, open_study, origin  # noqa: E402
from spikeseq.train.sweep.worker import work, work_in  # noqa: E402

STATES = optuna.trial.TrialState
SPACE = {"model.options.time_steps": [1, 2, 4], "train.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}

RATE = {"train.learning_rate": [0.01]}
TRANSLATE = {"task": "translate", "model.network": "translation", "model.cell": "lif", "data.name": "multi30k"}


@pytest.fixture
def made(tiny):
    """The function that makes a tiny sweep."""

    def make(trials=3, space=SPACE, changes=None, **options):
        base = {"model.cell": "quantized_lstm", "model.hidden_size": 4, "train.epochs": 1, **(changes or {})}
        recipe = tiny(base)
        return Sweep(recipe, make_space(space, recipe), Path("sweep"), trials=trials, **options)

    return make


def folder_of(number):
    """The only folder of a trial."""
    (folder,) = Path("sweep/trials").glob(f"{number:05d}-*")
    return folder


def trials_of(sweep):
    with open_study(sweep) as study:
        return study.trials


def rows_of(sweep):
    with open_study(sweep) as study:
        return trial_rows(study, sweep)


def test_two_objectives(made, stub_data):
    stub_data(rows=(20, 30, 8))
    sweep, told = made(4, objectives=("accuracy", "energy")), []
    work(sweep, told=told.append)
    trials = trials_of(sweep)
    assert [t.state for t in trials] == [STATES.COMPLETE] * 4
    assert [t.number for t in told] == [0, 1, 2, 3]
    for trial in trials:
        record = read_record(folder_of(trial.number) / "record.json")
        for key, value in trial.params.items():
            *folders, last = key.split(".")
            section = record.config
            for folder in folders:
                section = section[folder]
            assert section[last] == value
        assert trial.values[0] == record.metrics["valid_accuracy"]
        assert trial.values[1] > 0
        assert not any(name.startswith("test_") for name in record.metrics)
    work(sweep)  # nothing is left to do
    assert len(trials_of(sweep)) == 4
    with open_study(sweep) as study:
        write_record(record_of(study, sweep, 1.0), "sweep.json")
    metrics = read_record("sweep.json").metrics
    assert (metrics["finished"], metrics["fail"], len(metrics["trials"])) == (4, 0, 4)
    assert 1 <= len(metrics["front"]) <= 4


def test_more_levels_cost_more_energy(made, stub_data):
    """One configuration, but for T: the same weights to start with, and more spikes of the same units."""
    stub_data(rows=(20, 30, 8))
    sweep = made(
        2, {"model.options.time_steps": [1, 4]}, {"train.learning_rate": 1e-3}, objectives=("accuracy", "energy")
    )
    with open_study(sweep) as study:
        for time_steps in (1, 4):
            study.enqueue_trial({"model.options.time_steps": time_steps})
    work(sweep)
    energy = {t.params["model.options.time_steps"]: t.values[1] for t in trials_of(sweep)}
    assert sorted(energy) == [1, 4]
    assert energy[4] > energy[1]


def test_another_study_in_the_same_folder(made, stub_data):
    """Its trial 0 does not go on from the other's trial 0."""
    stub_data()
    work(made(1))
    (first,) = rows_of(made(1))
    other = made(1, space={"train.learning_rate": [0.5]}, storage="sqlite:///other.db")
    work(other)
    (second,) = rows_of(other)
    assert (second["state"], second["params"]) == ("complete", {"train.learning_rate": 0.5})
    assert first["folder"] != second["folder"]
    for row in (first, second):
        config = read_record(f"sweep/{row['folder']}/record.json").config
        assert config["train"]["learning_rate"] == row["params"]["train.learning_rate"]


def test_commands_and_machines_draw_other_values(made, stub_data, monkeypatch):
    """Two commands of two trials draw what one of four draws: none again."""
    stub_data()
    monkeypatch.setattr(working, "run_trial", lambda sweep, trial: (float(working.recipe_of(sweep, trial).seed),))
    work(made(2))
    work(made(4))
    parts = [t.params for t in trials_of(made(4))]
    work(made(4, storage="sqlite:///whole.db"))
    assert parts == [t.params for t in trials_of(made(4, storage="sqlite:///whole.db"))]
    assert len({p["train.learning_rate"] for p in parts}) == 4
    work(made(4, storage="sqlite:///seed.db", seed=1))
    other = [t.params for t in trials_of(made(4, storage="sqlite:///seed.db", seed=1))]
    assert not {p["train.learning_rate"] for p in parts} & {p["train.learning_rate"] for p in other}


def test_the_front_is_what_none_beats(made):
    sweep = made(objectives=("accuracy", "energy"))
    values = [(0.9, 5.0), (0.8, 1.0), (0.8, 2.0), (0.9, 5.0), (0.95, 9.0), (0.7, 1.0), (0.1, 0.5)]
    rows = [{"number": n, "state": "complete", "accuracy": a, "energy": e} for n, (a, e) in enumerate(values)]
    rows.append({"number": 7, "state": "fail"})
    assert [row["number"] for row in front(rows, sweep)] == [4, 0, 1, 6]
    assert [row["number"] for row in front(rows, made())][:3] == [4, 0, 3]


def test_a_trial_that_is_worse_than_the_others_is_pruned(made, stub_data):
    stub_data()
    sweep = made(6, changes={"train.epochs": 5})
    params = {"model.options.time_steps": 1, "train.learning_rate": 0.01}
    spaces = {
        "model.options.time_steps": optuna.distributions.CategoricalDistribution([1, 2, 4]),
        "train.learning_rate": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
    }
    good = {"params": params, "distributions": spaces, "intermediate_values": dict.fromkeys(range(5), 1.0)}
    with open_study(sweep) as study:
        study.add_trials([optuna.trial.create_trial(value=1.0, **good) for _ in range(5)])
    work(sweep)
    last = trials_of(sweep)[-1]
    assert last.state == STATES.PRUNED
    assert sorted(last.intermediate_values) == [0, 1]  # the first epoch decides nothing yet
    assert not (folder_of(5) / "model.pt").exists()
    assert rows_of(sweep)[-1]["state"] == "pruned"
    with pytest.raises(ConfigError, match="of another recipe, space or objectives"):
        trials_of(made(6, changes={"train.epochs": 4}))


def test_trials_that_fail_say_why(made, stub_data, monkeypatch):
    stub_data()
    calls = []

    def failing(recipe, folder, **options):
        calls.append(recipe)
        if len(calls) != 2:
            raise ConfigError("these values do not go together")
        return fit(recipe, folder, **options)

    monkeypatch.setattr(working, "fit", failing)
    sweep = made(2)
    with pytest.raises(SpikeseqError, match=r"2 trials have failed.*do not go together"):
        work(sweep)
    rows = rows_of(sweep)
    assert [row["state"] for row in rows] == ["fail", "complete", "fail"]
    assert rows[0]["error"] == "these values do not go together"


def test_a_plan_of_which_every_trial_failed_may_be_corrected(made, stub_data, monkeypatch):
    """In the same folder; one that finished a trial may not."""
    stub_data()

    def failing(recipe, folder, **options):
        raise ConfigError("no such data")

    with monkeypatch.context() as patched:
        patched.setattr(working, "fit", failing)
        with pytest.raises(SpikeseqError, match="no such data"):
            work(made(1, space={"train.learning_rate": [0.5]}))
    corrected = made(1, space={"train.learning_rate": [0.25]})
    work(corrected)
    (row,) = rows_of(corrected)
    assert (row["state"], row["params"]) == ("complete", {"train.learning_rate": 0.25})
    with pytest.raises(ConfigError, match="of another recipe, space or objectives"):
        trials_of(made(1, space={"train.learning_rate": [0.5]}))


def test_a_killed_worker_loses_no_finished_trial(made, monkeypatch):
    sweep = made(4, changes={"train.epochs": 3}, heartbeat=1)
    process = two_processes.alone(two_processes.work_until_killed, sweep, 2, 1)
    assert two_processes.finish([process]) == [-signal.SIGKILL]
    before = trials_of(sweep)
    assert [t.state for t in before] == [STATES.COMPLETE, STATES.COMPLETE, STATES.RUNNING]
    assert (folder_of(2) / "last.ckpt").exists()

    process = two_processes.alone(two_processes.work_until_killed, sweep, -1, 0)
    assert two_processes.finish([process]) == [0]
    after = trials_of(sweep)
    assert [t.state for t in after].count(STATES.COMPLETE) == 4
    assert [(t.params, t.values) for t in after[:2]] == [(t.params, t.values) for t in before[:2]]
    assert after[2].state == STATES.FAIL
    (again,) = (t for t in after if origin(t) == 2 and t.number != 2)
    assert again.params == after[2].params
    # it went on from its checkpoint, to the result of an unbroken run
    content = sweep.recipe.to_dict()
    for key, value in again.params.items():
        content = with_key(content, key, value)
    monkeypatch.setattr(data_sets, "load", data_sets.load)  # what the next line changes ends with the test
    two_processes.stub(sweep.recipe)
    whole = fit(make_recipe(content), "whole", progress=False, test=False).record.metrics
    found = read_record(folder_of(2) / "record.json").metrics
    assert found["history"] == whole["history"]
    assert again.values == [whole["valid_accuracy"]]


def test_a_trial_that_kills_each_worker_is_given_up():
    queued = []
    study = SimpleNamespace(enqueue_trial=lambda params, user_attrs: queued.append((params, user_attrs)))
    attributes = {}
    for number in (7, 8, 9):  # each stands for the one before
        studies._again(study, SimpleNamespace(number=number, params={"a": 1}, user_attrs=attributes))
        attributes = queued[-1][1]
    assert queued == [({"a": 1}, {"origin": 7, "tries": tries}) for tries in range(1, RETRIES + 1)]


def start_postgres(folder):
    """Start a server on a socket in the folder and return its URL; skips where there is none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'psycopg[binary]'")
    found = {name: shutil.which(name) or next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
             for name in ("initdb", "pg_ctl")}  # fmt: skip
    if None in found.values():
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    as_user = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("no user 'postgres' to run the server as")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]

    def call(name, *arguments):
        command = [*as_user, str(found[name]), "-D", f"{folder}/data", *arguments]
        subprocess.run(
            command, cwd=folder, check=True, timeout=60, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        )

    call("initdb", "-U", "sweeper", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    call("pg_ctl", "-w", "-l", f"{folder}/log", "-o", f"-c listen_addresses='' -c fsync=off -k {folder}", "start")
    return f"postgresql+psycopg://sweeper@/postgres?host={folder}", lambda: call("pg_ctl", "-m", "immediate", "stop")


@pytest.fixture
def postgres():
    """URL of a PostgreSQL server of this test's own."""
    folder = Path(tempfile.mkdtemp(prefix="spikeseq_pg_", dir="/tmp"))  # a socket's path must be short
    try:
        url, stop = start_postgres(folder)
        yield url
        stop()
    finally:
        shutil.rmtree(folder)


def test_two_workers_on_postgresql(made, postgres):
    sweep = made(4, storage=postgres, changes={"data.batch_size": 512})
    assert work_in(sweep, 2) == []
    trials = trials_of(sweep)
    assert 4 <= len(trials) <= 5  # both may have begun the last one
    assert {t.state for t in trials} == {STATES.COMPLETE}
    assert all((folder_of(t.number) / "model.pt").exists() for t in trials)


def test_workers_that_all_die(made, monkeypatch):
    sweep = made(2, changes={"data.name": "timit", "data.options": {"folder": "nowhere"}})
    monkeypatch.setattr(working, "_work", two_processes.die)
    with pytest.raises(LostProcessError, match=r"all 2 workers of the sweep were lost.*run the same command to go on"):
        work_in(sweep, 2)


def test_failures_of_earlier_commands_do_not_count(made, stub_data, monkeypatch):
    """What was wrong is put right, and the same command goes on."""
    stub_data()
    with monkeypatch.context() as patch:
        patch.setattr(working, "fit", lambda *args, **options: (_ for _ in ()).throw(ConfigError("no disk")))
        for _ in range(2):
            with pytest.raises(SpikeseqError, match=r"2 trials have failed.*no disk"):
                work(made(2))
    work(made(2))
    assert [row["state"] for row in rows_of(made(2))] == ["fail"] * 4 + ["complete"] * 2


def test_workers_whose_trials_all_fail_say_why(made):
    """The error itself, not that workers were lost."""
    sweep = made(2, changes={"data.name": "timit", "data.options": {"folder": "nowhere"}})
    for _ in range(2):
        with pytest.raises(
            SpikeseqError, match=r"trials have failed, as many as were asked for; the last: .*timit"
        ) as found:
            work_in(sweep, 2)
        assert not isinstance(found.value, LostProcessError)


def test_a_defect_is_named(made, stub_data, monkeypatch):
    """An error that no worker survives stands in the trial's row as well."""
    stub_data()
    monkeypatch.setattr(working, "measured", lambda *args: None.values)
    with pytest.raises(AttributeError):
        work(made(2))
    assert rows_of(made(2))[0]["error"].startswith("AttributeError: 'NoneType' object has no attribute")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials=0"),
        ({"seed": -1}, "seed=-1: pass 0 or more"),
        ({"storage": "sqlite:///:memory:"}, "storage=.* is in memory"),
        ({"storage": "sqlite://"}, "storage=.* is in memory"),
        ({"objectives": ()}, "objectives"),
        ({"objectives": ("energy", "energy")}, "objectives"),
        ({"changes": {"trainer.devices": 2}}, "set workers instead"),
        ({"changes": TRANSLATE, "space": RATE, "objectives": ("accuracy", "energy")}, "energy with task: translate"),
    ],
)
def test_sweeps_that_cannot_be(made, options, words):
    with pytest.raises(ConfigError, match=words):
        made(**options)


@pytest.mark.parametrize("url", ["nosuch://x", "sqlite:////nowhere/at/all.db", "postgresql+psycopg2://x@127.0.0.1:1/x"])
def test_storages_that_cannot_be_opened(made, url):
    with pytest.raises(ConfigError, match=r"storage=.*(cannot be opened|not installed)"):
        trials_of(made(storage=url))


def test_a_storage_that_fails_on_the_way(made):
    """As of a disk that is full, a file that became read-only, a server that went away."""

    def fail() -> None:
        with open_study(made()) as study:
            engine = study._storage._backend.engine
            sqlalchemy.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = 1"))
            engine.dispose()  # of the connections that there are
            study.set_user_attr("a", 1)

    with pytest.raises(ConfigError, match=r"storage=.* cannot be used \(.*readonly.*\): read-only, full or away"):
        fail()


def test_pruning_is_for_accuracy_alone(made):
    """A higher score of an epoch is better: the median of a study that minimises would stop the good ones."""
    assert made().prunes
    assert not made(objectives=("energy",)).prunes
    assert not made(objectives=("accuracy", "energy")).prunes
    with open_study(made(objectives=("energy",))) as study:
        assert isinstance(study.pruner, optuna.pruners.NopPruner)


def test_optuna_is_named_where_it_is_missing(made, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install spikeseq\[sweep\]"):
        trials_of(made())


def test_a_worker_killed_before_its_first_sign_of_life_is_not_waited_for(made, monkeypatch):
    """Optuna calls a trial stale by its last heartbeat: one that gave none would be waited for without end."""
    monkeypatch.setattr(working, "NOTHING_HEARD", 2.0)
    sweep = made(2, space=RATE, heartbeat=1)
    work(made(1, space=RATE, heartbeat=1))
    with open_study(sweep) as study, pytest.warns(UserWarning, match="Heartbeat"):
        lost = study.ask().number  # a number is drawn, and nothing more
    work(sweep)
    states = {t.number: t.state for t in trials_of(sweep)}
    assert states[lost] == STATES.FAIL
    assert list(states.values()).count(STATES.COMPLETE) == 2
