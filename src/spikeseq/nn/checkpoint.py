"""Model files: the settings that build a model, and its weights, in one file that is written whole and read with care."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from spikeseq.errors import CheckpointError, ConfigError, SpikeseqError
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.frames import Classifier, FrameClassifier
from spikeseq.report.atomic import write_atomic

FORMAT = "spikeseq-model/1"


@dataclass(frozen=True)
class ModelSettings:
    """What builds a SequenceClassifier, or a FrameClassifier.

    cell: kind of layer: torch_lstm, torch_gru, lstm, gru, hard_lstm, quantized_lstm, spiking_lstm, stream_lstm,
        gated_current, hard_gated_current, spiking_gated_current, leaky_current or adlif
    hidden_size: H, units of each layer and direction
    num_layers: layers on top of each other
    dropout: probability, between layers and before the readout
    bidirectional: run the sequence backwards as well
    pooling: readout of the last element, or of the mean over the sequence
    options: further arguments of the layer: time_steps, max_packet, shift, leak, input_encoding, input_levels, bias; of
        currents: variant, bits, threshold_levels, rounding, levels, range, candidate, batch_norm, recurrent_dropout,
        input_bits; of adlif: form, recurrent, batch_norm
    output: one class for a sequence, or one for each of its frames (then pooling has no effect)
    """

    cell: str = "torch_lstm"
    hidden_size: int = 128
    num_layers: int = 1
    dropout: float = 0.0
    bidirectional: bool = False
    pooling: Literal["last", "mean"] = "last"
    options: dict[str, Any] = field(default_factory=dict)
    output: Literal["sequence", "frames"] = "sequence"

    def build(self, input_size: int, classes: int) -> Classifier:
        """Return the model with fresh weights. Raises ConfigError for settings that cannot work."""
        arguments = asdict(self)
        output = arguments.pop("output")
        try:
            if output == "frames":
                arguments.pop("pooling")
                return FrameClassifier(input_size, classes=classes, **arguments)
            return SequenceClassifier(input_size, classes=classes, **arguments)
        except SpikeseqError:
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"model: {self} cannot be built ({error}); options of each layer are listed in `spikeseq train --help`"
            ) from error


def save_model(
    path: str | Path, model: nn.Module, settings: ModelSettings, sizes: tuple[int, int], notes: dict[str, Any]
) -> Path:
    """Write model and settings, whole or not at all; ``sizes`` = (input_size, classes), ``notes`` are plain values."""
    content = {
        "format": FORMAT, "settings": asdict(settings), "sizes": list(sizes), "notes": notes,
        "state": {k: v.detach().cpu() for k, v in model.state_dict().items()},
    }  # fmt: skip
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_atomic(path, buffer.getvalue())


def read_content(path: str | Path) -> dict[str, Any]:
    """Read a model file's plain content. Raises CheckpointError when it is missing, damaged or another kind of file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} does not exist; pass a model file such as runs/X/model.pt"
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise CheckpointError(
            f"checkpoint {str(path)!r} cannot be read ({error}); it is damaged or no model file"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint {str(path)!r} is not a {FORMAT} file; pass a model file such as runs/X/model.pt"
        )
    kinds = {"settings": dict, "sizes": list, "state": dict, "notes": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]
    if wrong:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has no {' or '.join(wrong)}; it is damaged: train or save it anew"
        )
    return content


def load_model(path: str | Path) -> tuple[Classifier, ModelSettings, dict[str, Any]]:
    """Return the model in evaluation mode, its settings and its notes. Raises CheckpointError as :func:`read_content`."""
    content = read_content(path)
    try:
        settings = ModelSettings(**content["settings"])
        model = settings.build(*content["sizes"])
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} holds settings that build no model ({error}); it is damaged or of another version"
        ) from error
    load_weights(model, content["state"], str(path))
    return model.eval(), settings, content["notes"]


def load_sequence_model(path: str | Path) -> tuple[SequenceClassifier, ModelSettings, dict[str, Any]]:
    """The same for a model of whole sequences. Raises ConfigError for one of frames."""
    model, settings, notes = load_model(path)
    if not isinstance(model, SequenceClassifier):
        raise ConfigError(f"{str(path)!r} classifies frames: pass a model file of one that classifies whole sequences")
    return model, settings, notes


def load_weights(model: nn.Module, state: dict[str, Any], path: str) -> None:
    """Load weights that must fit. Raises CheckpointError naming the first parameters that do not."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:3]]
        raise CheckpointError(
            f"checkpoint {path!r} belongs to another architecture: {' '.join(lines)} "
            "Use the recipe it was trained with, or train anew."
        ) from error
