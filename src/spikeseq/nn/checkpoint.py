"""Model files: the settings that build a model, and its weights, in one file that is written whole and read with care."""

from __future__ import annotations

import io
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from spikeseq.errors import CheckpointError, ConfigError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.settings import ModelSettings, Network
from spikeseq.report.atomic import write_atomic

FOLDER = 0x10  # bit of the attributes of a part of a zip archive, as MS-DOS has them
FORMAT = "spikeseq-model/1"


class Sizes(NamedTuple):
    """What settings leave to the data."""

    input_size: int  # I; of texts the size of the vocabulary
    classes: int
    element_shape: tuple[int, ...] = ()  # of pictures


def save_model(
    path: str | Path, model: nn.Module, settings: ModelSettings, sizes: Sizes | tuple[int, int], notes: dict[str, Any]
) -> Path:
    """Write model and settings, whole or not at all; ``notes`` are plain values."""
    content = {
        "format": FORMAT, "settings": asdict(settings), "sizes": list(sizes), "notes": notes,
        "state": {k: v.detach().cpu() for k, v in model.state_dict().items()},
    }  # fmt: skip
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomic(path, buffer.getvalue())


def check_sums(path: str | Path) -> None:
    """Compare each part of a file of torch.save with its CRC-32, which torch.load does not. Raises what zipfile raises.

    What the list of parts at the end calls a folder torch.load reads as whatever lies in memory: no part may be one.
    """
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        folder = next((i.filename for i in archive.infolist() if i.external_attr & FOLDER), None)
    if damaged:
        raise zipfile.BadZipFile(f"checksum of {damaged} is wrong")
    if folder:
        raise zipfile.BadZipFile(f"{folder} is said to be a folder")


def read_content(path: str | Path) -> dict[str, Any]:
    """Read a model file's plain content. Raises CheckpointError when it is missing, damaged or another kind of file."""
    return read_file(path, FORMAT, {"settings": dict, "sizes": list, "state": dict, "notes": dict})


def read_file(path: str | Path, format: str, kinds: dict[str, type]) -> dict[str, Any]:
    """The same for any ``format``, whose content has fields of ``kinds``."""
    try:
        check_sums(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} does not exist; pass a model file such as runs/X/model.pt"
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"checkpoint {str(path)!r} cannot be read ({error}); it is damaged or no model file"
        ) from error
    if not isinstance(content, dict) or content.get("format") != format:
        raise CheckpointError(
            f"checkpoint {str(path)!r} is not a {format} file; pass a model file such as runs/X/model.pt"
        )
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]
    if wrong:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has no {' or '.join(wrong)}; it is damaged: train or save it anew"
        )
    return content


def load_model(path: str | Path) -> tuple[Network, ModelSettings, dict[str, Any]]:
    """Return the model in evaluation mode, its settings and its notes. Raises CheckpointError as :func:`read_content`."""
    content = read_content(path)
    try:
        settings = ModelSettings.from_dict(content["settings"])
        model = settings.build(*content["sizes"])
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} holds settings that build no model ({error}); it is damaged or of another version"
        ) from error
    load_weights(model, content["state"], str(path))
    return model.eval(), settings, content["notes"]


def load_sequence_model(path: str | Path) -> tuple[SequenceClassifier, ModelSettings, dict[str, Any]]:
    """The same for recurrent layers that classify sequences of vectors. Raises ConfigError for any other network."""
    model, settings, notes = load_model(path)
    if not isinstance(model, SequenceClassifier):
        what = "frames" if settings.network == "layers" else settings.network
        raise ConfigError(
            f"{str(path)!r} classifies {what}: pass a model file of recurrent layers that classify whole sequences of vectors"
        )
    return model, settings, notes


def load_weights(model: nn.Module, state: dict[str, Any], path: str, assign: bool = False) -> None:
    """Load weights that must fit, or ``assign`` them. Raises CheckpointError naming the first parameters that do not."""
    try:
        model.load_state_dict(state, assign=assign)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:3]]
        raise CheckpointError(
            f"checkpoint {path!r} belongs to another architecture: {' '.join(lines)} "
            "Use the recipe it was trained with, or train anew."
        ) from error
