"""``spikeseq listen``: hear words in a recording, as it comes in, with a model of Speech Commands."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich.console import Console

from spikeseq.cli.data_of import data_of, recipe_of
from spikeseq.cli.listening import Listener
from spikeseq.cli.windows import Decision, Windows
from spikeseq.data.speech.audio import RATE, BadUtterance, check_speech, decode
from spikeseq.data.speech.logmel import CLIP
from spikeseq.data.speech.mel import HOP, WINDOW
from spikeseq.data.speech.streaming import LogMelStream
from spikeseq.errors import CheckpointError, ConfigError, DataError
from spikeseq.nn.checkpoint import load_sequence_model
from spikeseq.train.inputs import front_end

console = Console(soft_wrap=True, markup=False, highlight=False)
LENGTH = (CLIP - WINDOW) // HOP + 1  # frames of a second, the sequences of the training data
FRAME_MS = 1000 * HOP // RATE
PIECE = 1600  # samples that are read at once
HEADINGS = f"{'time':>8}  {'word':10} {'score':>5}  {'heard':>7}  {'spikes':>9}  {'adds':>11}  {'multiplications':>15}"


def listen(file: str, model: str | None = None, hop_ms: int = 200) -> None:
    """Hear words in a recording: at each hop the most likely word of the last second, its score and what it cost.

    Args:
        file: wav, FLAC or NIST SPHERE, 16 kHz, one channel; "-" for raw 16-bit samples (little-endian) from standard input
        model: model file of a Speech Commands recipe (runs/X/model.pt)
        hop_ms: milliseconds from decision to decision, a multiple of 10; each is one more window that runs at a time
    """
    if hop_ms < FRAME_MS or hop_ms % FRAME_MS:
        raise ConfigError(f"hop_ms={hop_ms}: pass a multiple of {FRAME_MS}, the time of a frame")
    if model is None:
        raise ConfigError("model is missing: pass --model and a model file such as runs/X/model.pt")
    loaded, _, notes = load_sequence_model(model)
    scale = scale_of(notes, model)
    listener = Listener(loaded, f"model {model!r}")
    pieces = raw_pieces(sys.stdin.buffer) if file == "-" else file_pieces(file)
    windows = Windows(listener.window, LENGTH, hop_ms // FRAME_MS)
    console.print(f"{type(loaded.rnn).__name__}, {listener.how}\n{HEADINGS}")
    for decision in decisions(pieces, scale, windows):
        console.print(line(decision, notes["classes"]))


def scale_of(notes: dict[str, Any], checkpoint: str) -> Mapping[str, Any]:
    """Mean and standard deviation, dB, of the features that a model was trained on; ``notes`` are filled in if they are older.

    Raises CheckpointError for a model of other data, DataError where an older file needs data that are not there.
    """
    recipe = recipe_of(notes, checkpoint)
    if recipe.data.name != "speech_commands":
        raise CheckpointError(
            f"checkpoint {checkpoint!r} was trained on {recipe.data.name!r}: listen needs a model of speech_commands"
        )
    if "decibels" not in notes:  # of an older version: the data say it
        notes |= front_end(data_of(notes, checkpoint))
    found: Mapping[str, Any] = notes["decibels"]
    return found


def decisions(pieces: Iterable[np.ndarray], scale: Mapping[str, Any], windows: Windows) -> Iterator[Decision]:
    """Samples, int16 -> decisions. A recording of less than a second is filled up with zeros, as in training."""
    mean, std = (np.asarray(scale[name], np.float32) for name in ("mean", "std"))
    stream, samples = LogMelStream(), 0

    def filled() -> Iterator[np.ndarray]:
        nonlocal samples
        for piece in pieces:
            samples += len(piece)
            yield piece
        yield np.zeros(max(0, CLIP - samples), np.int16)

    for piece in filled():
        level = stream.push(piece).astype(np.float32) + np.float32(scale["floor"])
        yield from windows.push((level - mean) / std)
    yield from windows.finish()


def file_pieces(path: str) -> Iterator[np.ndarray]:
    """The samples of a file, int16. Raises DataError when it is missing, BadUtterance (a DataError) when it cannot be used."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"recording {path!r} cannot be read: {error.strerror or error}") from error
    try:
        samples = check_speech(decode(content, path), path)
    except BadUtterance as error:
        if error.reason not in ("sample_rate", "channels"):
            raise
        raise BadUtterance(error.reason, f"{error} For example: ffmpeg -i IN -ar {RATE} -ac 1 OUT.wav") from error
    return (samples[k : k + PIECE] for k in range(0, len(samples), PIECE))


def raw_pieces(source: BinaryIO) -> Iterator[np.ndarray]:
    """Raw samples as they come, int16. Raises DataError in the end when there were too few, half of one, or only silence."""
    rest, heard = b"", np.empty(0, np.int16)
    while content := source.read(2 * PIECE):
        content, rest = rest + content, b""
        if len(content) % 2:
            content, rest = content[:-1], content[-1:]
        piece = np.frombuffer(content, "<i2").astype(np.int16)
        heard = np.unique(np.concatenate([heard, piece]))[:2]  # two different ones are enough: it is not silent
        yield piece
    if rest:
        raise BadUtterance("truncated", "standard input ends in half a sample: pass raw 16-bit samples")
    if len(heard) < 2:
        raise BadUtterance("silent", f"standard input is silent or empty: {len(heard)} different samples.")


def line(decision: Decision, words: list[str]) -> str:
    """One line of the output."""
    likely = np.exp(decision.logits - decision.logits.max())
    best = int(likely.argmax())
    work = decision.work
    score, now, heard = likely[best] / likely.sum(), seconds(decision.element), seconds(decision.heard)
    return (
        f"{now:6.3f} s  {words[best]:10} {score:5.2f}  {heard:4.3f} s  "
        f"{work.spikes:9,.0f}  {work.acs:11,.0f}  {work.macs:15,.0f}"
    )


def seconds(frames: int) -> float:
    """Time from the first sample of the first of some frames to the last sample of the last."""
    return ((frames - 1) * HOP + WINDOW) / RATE
