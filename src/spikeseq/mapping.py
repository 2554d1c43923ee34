"""YAML that a person wrote, as plain dicts: recipes, spaces of sweeps, tables of prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from spikeseq.errors import ConfigError

LARGEST = 100_000  # values of a file; the longest recipe has a hundred


def read_mapping(path: str | Path, what: str, see: str) -> dict[str, Any]:
    """Return what a YAML file maps.

    what  what the file is called in an error: "recipe"
    see   where a right one is shown
    Raises ConfigError for a file that is missing, cannot be read, is no YAML or holds no mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{what} {str(path)!r} does not exist; see {see}") from error
    except OSError as error:
        raise ConfigError(f"{what} {str(path)!r} cannot be read ({error.strerror}); see {see}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {str(path)!r} is not valid YAML: {error}; see {see}") from error
    content = parse_yaml(text, f"{what} {str(path)!r} is not valid YAML", f"see {see}")
    if not isinstance(content, dict):
        raise ConfigError(f"{what} {str(path)!r} holds no mapping; see {see}")
    return content


def parse_yaml(text: str, wrong: str, remedy: str) -> Any:
    """Return the plain value of a text. Raises ConfigError, ``wrong`` and why and ``remedy``, where it is none."""
    try:
        content = yaml.safe_load(text)
        if _size(content, {}) > LARGEST:
            raise ValueError(f"its aliases (*name) make more than {LARGEST} values of it")
    # ValueError: a number of too many digits, or a date that is none; the last four: a tag (!!bool) on what it does not fit
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, TypeError) as error:
        raise ConfigError(f"{wrong}: {error}; {remedy}") from error
    return content


def _size(value: Any, known: dict[int, int]) -> int:
    """Values in a value, those under an alias each time. Raises ValueError where one holds itself."""
    if not isinstance(value, dict | list):
        return 1
    if known.get(id(value)) == 0:
        raise ValueError("an alias (*name) holds itself")
    if id(value) not in known:
        known[id(value)] = 0
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]
