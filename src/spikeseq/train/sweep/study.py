"""An Optuna study of recipes: what is searched, and where its trials are kept.

Several processes, on one machine or more, work on one study through its storage. Each tells the storage every
``heartbeat`` seconds that it lives; the trial of one that is silent for three times as long is marked failed and queued again,
with the same values and in the same folder, where it goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spikeseq.errors import ConfigError
from spikeseq.train.recipe import Recipe
from spikeseq.train.sweep.space import Space

Objective = Literal["accuracy", "energy"]
DIRECTIONS = {"accuracy": "maximize", "energy": "minimize"}
RETRIES = 2  # of a trial whose worker died: one that kills its worker each time is given up


@dataclass(frozen=True)
class Sweep:
    """A search; plain values, so that other processes can be told.

    recipe      what is the same in all trials
    space       recipe keys and what they may be
    folder      trials, record, table and plot go there
    storage     URL of an Optuna storage; None: a SQLite file in the folder
    trials      finished ones that are wanted
    objectives  validation accuracy (the task's score where it has none), energy for each sequence element
    price       key of the energy, as evaluate.operations names it
    seed        of the sampler
    heartbeat   seconds
    prune       stop trials early that do worse than the median (accuracy as the one objective)
    """

    recipe: Recipe
    space: Space
    folder: Path
    storage: str | None = None
    trials: int = 20
    objectives: tuple[Objective, ...] = ("accuracy",)
    price: str = "energy_int32_pj"
    seed: int = 0
    heartbeat: int = 10
    prune: bool = True

    def __post_init__(self) -> None:
        for name, value in (("trials", self.trials), ("heartbeat", self.heartbeat)):
            if value < 1:
                raise ConfigError(f"{name}={value}: pass 1 or more")
        if self.storage and re.fullmatch(r"sqlite(\+\w+)?://(/?|/:memory:)", self.storage):
            raise ConfigError(
                f"storage={self.storage!r} is in memory, where no worker sees it; name a file: sqlite:///study.db"
            )
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed}: pass 0 or more")
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(f"objectives={list(self.objectives)}: name accuracy, energy or both")
        if "energy" in self.objectives and self.recipe.task == "translate":
            raise ConfigError(
                "objectives: energy with task: translate: it is not counted on pairs of sentences; leave it out"
            )
        if (self.recipe.trainer.devices, self.recipe.trainer.num_nodes) != (1, 1):
            raise ConfigError(
                "trainer.devices or num_nodes is above 1: a trial runs in one process; set workers instead"
            )

    @property
    def prunes(self) -> bool:
        """Whether trials are stopped early: by the score of their epochs, so only where that is the objective."""
        return self.prune and self.objectives == ("accuracy",)

    @property
    def url(self) -> str:
        """Of the storage."""
        return self.storage or f"sqlite:///{self.folder.resolve() / 'study.db'}"

    @property
    def plan(self) -> str:
        """What must be the same for trials to be compared."""
        space = {key: dataclasses.asdict(own) for key, own in sorted(self.space.items())}
        same = {"recipe": self.recipe.to_dict(), "space": space, "objectives": self.objectives, "price": self.price}
        return json.dumps(same, sort_keys=True)


def optuna() -> Any:
    """The package. Raises ConfigError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("a sweep needs Optuna: pip install spikeseq[sweep]") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def experimental() -> Iterator[None]:
    """Optuna calls heartbeats experimental, and says so each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna().exceptions.ExperimentalWarning)
        yield


@contextmanager
def open_study(sweep: Sweep) -> Iterator[Any]:
    """Open the study, made where it is not there yet; its storage is closed at the end of the block.

    Raises ConfigError for a storage that cannot be opened, fails inside the block, or whose study of this name is of another
    recipe or space.
    """
    package = optuna()
    sweep.folder.mkdir(parents=True, exist_ok=True)
    try:
        with experimental():
            storage = package.storages.RDBStorage(
                sweep.url, _engine(sweep.url), heartbeat_interval=sweep.heartbeat, grace_period=3 * sweep.heartbeat,
                heartbeat_stale_trial_callback=_again,
            )  # fmt: skip
    except ImportError as error:
        raise ConfigError(
            f"storage={sweep.url!r}: its driver is not installed ({error}); pip install {error.name or 'it'}"
        ) from error
    except Exception as error:  # SQLAlchemy and each driver raise many kinds
        cause = str(error).splitlines()[0]
        raise ConfigError(f"storage={sweep.url!r} cannot be opened ({cause}); pass a URL as of SQLAlchemy") from error
    try:
        yield _study(package, storage, sweep)
    except package.exceptions.StorageInternalError as error:
        cause = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(
            f"storage={sweep.url!r} cannot be used ({cause}): read-only, full or away? What is finished is kept"
        ) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _engine(url: str) -> dict[str, Any]:
    """A worker waits for another that writes to a SQLite file, instead of giving up."""
    return {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}


def _study(package: Any, storage: Any, sweep: Sweep) -> Any:
    study = _made(package, storage, sweep)
    kept = study.user_attrs.get("plan")
    if kept not in (None, sweep.plan) and _all_failed(package, study):  # of a plan that could not work: nothing to lose
        package.delete_study(study_name=sweep.recipe.name, storage=storage)
        study = _made(package, storage, sweep)
        kept = None
    if kept is None:
        study.set_user_attr("plan", sweep.plan)
    elif kept != sweep.plan:
        raise ConfigError(
            f"the study {sweep.recipe.name!r} in {sweep.url} is of another recipe, space or objectives: choose another "
            "storage or out, or give the recipe another name"
        )
    return study


def _made(package: Any, storage: Any, sweep: Sweep) -> Any:
    return package.create_study(
        storage=storage, study_name=sweep.recipe.name, load_if_exists=True,
        directions=[DIRECTIONS[name] for name in sweep.objectives],
        sampler=sampler_of(sweep, 0),
        pruner=package.pruners.MedianPruner(n_warmup_steps=1) if sweep.prunes else package.pruners.NopPruner(),
    )  # fmt: skip


def _all_failed(package: Any, study: Any) -> bool:
    trials = study.get_trials(deepcopy=False)
    return bool(trials) and all(trial.state == package.trial.TrialState.FAIL for trial in trials)


def sampler_of(sweep: Sweep, number: int) -> Any:
    """The sampler of one trial: seeded by its number, so that no other command or machine draws the same again."""
    seed = np.random.SeedSequence([sweep.seed, number]).generate_state(1)[0]
    return optuna().samplers.TPESampler(seed=int(seed))


def origin(trial: Any) -> int:
    """The number of the trial that this one repeats, or its own: part of the folder's name."""
    return int(trial.user_attrs.get("origin", trial.number))


def folder_name(trial: Any, recipe: Recipe) -> str:
    """Of a trial: its number and a hash of its recipe, so that another study in the same folder does not go on from it."""
    content = json.dumps(recipe.to_dict(), sort_keys=True, default=str)
    return f"{origin(trial):05d}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _again(study: Any, trial: Any) -> None:
    """Queue a trial again whose worker has died."""
    tries = int(trial.user_attrs.get("tries", 0)) + 1
    if tries <= RETRIES:
        study.enqueue_trial(trial.params, user_attrs={"origin": origin(trial), "tries": tries})
