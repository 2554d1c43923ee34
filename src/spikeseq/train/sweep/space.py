"""The space of a sweep: a YAML file maps recipe keys to ranges or values, each checked against the recipe's types.

::

    model.options.time_steps: [1, 2, 4]                             # one of these
    model.hidden_size: {low: 16, high: 128, log: true}              # whole numbers, as the key is
    train.learning_rate: {low: 1.0e-3, high: 3.0e-2, log: true}
    train.target_spike_rate: {low: 0.05, high: 0.4}
"""

from __future__ import annotations

import copy
import dataclasses
import json
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spikeseq.data.registry import check_names, options_of
from spikeseq.errors import ConfigError, nearest
from spikeseq.mapping import read_mapping
from spikeseq.train.recipe import Recipe, make_recipe

SCALARS = (str, bool, int, float, type(None))  # what Optuna takes as a value; others go in as JSON


class Suggests(Protocol):
    """What an Optuna trial offers."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of the choices."""


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included.

    low, high: smallest and largest value
    log: draw the logarithm evenly
    step: only low + k step
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it is one of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Suggests, key: str) -> float:
        """Draw a value."""
        if self.whole:
            step = int(self.step or 1)
            return trial.suggest_int(key, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)

    def probes(self) -> list[Any]:
        """Values that a recipe must take."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Choice:
    """One of ``values``."""

    values: tuple[Any, ...]

    def suggest(self, trial: Suggests, key: str) -> Any:
        """Draw a value."""
        if all(isinstance(value, SCALARS) for value in self.values):
            return trial.suggest_categorical(key, self.values)
        return json.loads(trial.suggest_categorical(key, [json.dumps(value) for value in self.values]))

    def probes(self) -> list[Any]:
        """Values that a recipe must take."""
        return list(self.values)


Space = dict[str, Range | Choice]


def read_space(path: str | Path, recipe: Recipe) -> Space:
    """Read a space for a recipe.

    Raises ConfigError, naming the key, for a missing or broken file, a key that the recipe has not (with the nearest that it
    has), a range that cannot be, and a value that the recipe does not take.
    """
    content = read_mapping(path, "space", "docs/scale.md")
    if not content:
        raise ConfigError(f"space {str(path)!r} maps no recipe key to a range; see docs/scale.md")
    return make_space(content, recipe)


def make_space(content: dict[str, Any], recipe: Recipe) -> Space:
    """Check plain dicts and build the space; raises as :func:`read_space`."""
    space: Space = {}
    for key, given in content.items():
        if str(key).split(".")[0] in ("trainer", "name"):
            raise ConfigError(f"space: {key}: a sweep keeps it as the recipe has it; leave it out")
        with_key(recipe.to_dict(), str(key), None)  # is there such a section?
        space[str(key)] = _range(str(key), given)
        for value in space[str(key)].probes():
            _try(recipe, str(key), value, one_cell="model.cell" not in content)
    _check_data(recipe, space)
    return space


def with_key(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Set the value of a dotted key in (a copy of) a recipe's nested dicts. Raises ConfigError where it lies in a value."""
    made = copy.deepcopy(content)
    *folders, last = key.split(".")
    section = made
    for folder in folders:
        section = section.setdefault(folder, {})
        if not isinstance(section, dict):
            raise ConfigError(f"space: {key}: {folder!r} is a value of the recipe, not a section")
    section[last] = value
    return made


def _range(key: str, given: Any) -> Range | Choice:
    if isinstance(given, list):
        if not given:
            raise ConfigError(f"space: {key}: []: name at least one value")
        return Choice(tuple(given))
    if not isinstance(given, dict):
        raise ConfigError(f"space: {key}: {given!r}: write a list of values, or {{low: .., high: .., log: true}}")
    fields = {field.name for field in dataclasses.fields(Range)}
    for name in given:
        if name not in fields:
            raise ConfigError(f"space: {key}: no setting {name!r} of a range; {nearest(str(name), fields)}")
    missing = [name for name in ("low", "high") if name not in given]
    if missing:
        raise ConfigError(f"space: {key}: {' and '.join(missing)} missing; a range has low and high")
    kind, log = _type_of(key), given.get("log", False)
    low, high, step = (_number(key, name, given.get(name), kind) for name in ("low", "high", "step"))
    if low is None or high is None or low > high or not isinstance(log, bool):
        raise ConfigError(f"space: {key}: low={low}, high={high}, log={log}: pass low <= high, and log: true or false")
    if log and (low <= 0 or step is not None):
        raise ConfigError(f"space: {key}: log: true needs low above 0 and no step, not low={low}, step={step}")
    if step is not None and step <= 0:
        raise ConfigError(f"space: {key}: step={step}: pass a number above 0")
    return Range(low, high, log, step)


def _number(key: str, name: str, value: Any, kind: Any) -> float | None:
    """A number of the key's type; YAML reads 1e-3 as text."""
    if value is None:
        return None
    try:
        number = float(value)
        whole = kind is not float and number.is_integer() and not (isinstance(value, float) and kind is not int)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"space: {key}: {name}={value!r} is no number") from None
    if kind not in (int, float, None) or isinstance(value, bool) or (kind is int and not whole):
        wanted = "a list of values" if kind not in (int, float, None) else "whole numbers"
        raise ConfigError(f"space: {key}: {name}={value!r}: this key takes {wanted}")
    return int(number) if whole else number


def _type_of(key: str) -> Any:
    """int, float, None where the recipe leaves it open (options), or another type."""
    holder: Any = Recipe
    for name in key.split("."):
        if not dataclasses.is_dataclass(holder):
            return None
        holder = typing.get_type_hints(holder).get(name)
    return float if holder == float | None else holder


def _check_data(recipe: Recipe, space: Space) -> None:
    """Raise ConfigError for a data set that is not there, and for an option that none of those searched over has."""
    names = space["data.name"].probes() if "data.name" in space else [recipe.data.name]
    head = "data.options."
    options = [key.removeprefix(head) for key in space if key.startswith(head)]
    try:
        for name in names:
            check_names(name, [])
        for option in options:
            if not any(option in options_of(name) for name in names):
                check_names(names[0], [option])
    except ConfigError as error:
        raise ConfigError(f"space: data: {error}") from error


def _try(recipe: Recipe, key: str, value: Any, one_cell: bool) -> None:
    """Make the recipe, and its model, with this value; where cells are searched over, a model without options.

    Raises ConfigError naming the key.
    """
    try:
        made = make_recipe(with_key(recipe.to_dict(), key, value))
        if made.model.network == "layers" and key.startswith("model."):
            model = made.model if one_cell else dataclasses.replace(made.model, options={})
            model.build(4, 3)
    except ConfigError as error:
        raise ConfigError(f"space: {key}={value!r}: {error}") from error
