"""YAML that a person wrote, as plain dicts: recipes, spaces of sweeps, tables of prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from spikeseq.errors import ConfigError


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
        raise ConfigError(f"{what} {str(path)!r} is not valid YAML: {error}") from error
    content = parse_yaml(text, f"{what} {str(path)!r} is not valid YAML", see)
    if not isinstance(content, dict):
        raise ConfigError(f"{what} {str(path)!r} holds no mapping; see {see}")
    return content


def parse_yaml(text: str, wrong: str, remedy: str) -> Any:
    """Return the plain value of a text. Raises ConfigError, ``wrong`` and why and ``remedy``, where it is none."""
    try:
        return yaml.safe_load(text)
    # ValueError: a number of too many digits, or a date that is none
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{wrong}: {error}; {remedy}") from error
