"""From recordings to the utterances of a data set: features once, transcripts joined, bad ones refused or counted."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from spikeseq.data.speech.audio import BadUtterance, Skipping, check_speech, decode
from spikeseq.data.speech.corpus import kept
from spikeseq.data.speech.fbank import BANDS, fbank, version
from spikeseq.data.utterances import Utterances

FEATURES, INDEX = "features.f32", "index.json"


@dataclass(frozen=True)
class Entry:
    """One recording whose features are there, and what is known of it."""

    id: str
    speaker: str
    split: str  # train, valid or test
    start: int  # first row of its features
    frames: int
    note: Any = None  # transcript: plain values


class Collector:
    """Writes the features of recordings one after the other, and keeps an entry for each.

    sink   a binary file, or BytesIO
    """

    def __init__(self, sink: BinaryIO, skipping: Skipping) -> None:
        self.sink, self.skipping = sink, skipping
        self.entries: list[Entry] = []
        self.rows = 0
        self._seen: set[str] = set()  # also those whose audio was bad: they are counted once

    def add(self, id: str, speaker: str, split: str, audio: bytes | np.ndarray) -> None:
        """Compute the features of one recording: a file's content, or samples int16 [n]."""
        self._seen.add(id)
        with self.skipping.guard():
            samples = decode(audio, id) if isinstance(audio, bytes) else audio
            features = fbank(check_speech(samples, id))
            self.sink.write(features.tobytes())
            self.entries.append(Entry(id, speaker, split, self.rows, len(features)))
            self.rows += len(features)

    def join(self, notes: Mapping[str, Any]) -> None:
        """Give each entry its transcript; a recording without one, and one without a recording, are bad utterances.

        notes   by id; None: was there, was bad, and is counted already
        """
        for id in sorted(set(notes) - self._seen):
            with self.skipping.guard():
                raise BadUtterance("no_audio", f"{id} has a transcript and no audio.")
        joined = []
        for entry in sorted(self.entries, key=lambda e: e.id):
            with self.skipping.guard():
                if entry.id not in notes:
                    raise BadUtterance("no_transcript", f"{entry.id} has audio and no transcript.")
                if notes[entry.id] is not None:
                    joined.append(dataclasses.replace(entry, note=notes[entry.id]))
        self.entries = joined


def normalise_by_speaker(x: np.ndarray, entries: Sequence[Entry]) -> None:
    """Scale every band of x [frames, I], in place, to mean 0 and standard deviation 1 over all utterances of a speaker.

    No label is looked at. A constant band becomes 0.
    """
    speakers: dict[tuple[str, str], list[slice]] = {}
    for entry in entries:
        speakers.setdefault((entry.split, entry.speaker), []).append(slice(entry.start, entry.start + entry.frames))
    for parts in speakers.values():
        together = np.concatenate([x[part] for part in parts]).astype(np.float64)
        mean, std = together.mean(0), together.std(0)
        std[std == 0] = 1
        for part in parts:
            x[part] = (x[part] - mean) / std


def in_memory(fill: Callable[[Collector], None], skipping: Skipping) -> tuple[np.ndarray, list[Entry]]:
    """Let ``fill`` fill a collector; return normalised features, float32 [frames, 40], and entries."""
    collector = Collector(sink := io.BytesIO(), skipping)
    fill(collector)
    x = np.frombuffer(sink.getbuffer(), np.float32).reshape(-1, BANDS)
    normalise_by_speaker(x, collector.entries)
    return x, collector.entries


def in_cache(
    dataset: str, state: Mapping[str, object], fill: Callable[[Collector], None], skipping: Skipping
) -> tuple[np.ndarray, list[Entry]]:
    """The same through the cache: features are computed once for each ``state`` of a corpus, and memory-mapped."""
    key = {"front_end": version(), "on_bad": skipping.on_bad, **state}
    folder = kept(dataset, key, lambda made: _write(made, fill, Skipping(skipping.on_bad)))
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    skipping.add(index["skipped"])
    # copy on write: a tensor made of it may be written to, the file stays as it is
    return _rows(folder, "c"), [Entry(**entry) for entry in index["entries"]]


def _write(folder: Path, fill: Callable[[Collector], None], skipping: Skipping) -> None:
    with (folder / FEATURES).open("wb") as sink:
        collector = Collector(sink, skipping)
        fill(collector)
    if collector.rows:
        normalise_by_speaker(_rows(folder, "r+"), collector.entries)
    index = {"entries": [vars(entry) for entry in collector.entries], "skipped": skipping.counts}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _rows(folder: Path, mode: Any) -> np.ndarray:
    return np.memmap(folder / FEATURES, np.float32, mode).reshape(-1, BANDS)


class Labels(NamedTuple):
    """What an utterance is labelled with, see Utterances."""

    labels: np.ndarray
    transcript: np.ndarray | None = None


def to_splits(
    x: np.ndarray, entries: Iterable[Entry], label: Callable[[Entry], Labels], skipping: Skipping
) -> dict[str, Utterances]:
    """Return the utterances of "train", "valid" and "test"; ``label(entry)`` gives labels, or raises BadUtterance."""
    chosen: dict[str, list[tuple[Entry, Labels]]] = {"train": [], "valid": [], "test": []}
    for entry in entries:
        with skipping.guard():
            chosen[entry.split].append((entry, label(entry)))
    return {split: _utterances(x, rows) for split, rows in chosen.items()}


def _utterances(x: np.ndarray, rows: list[tuple[Entry, Labels]]) -> Utterances:
    transcripts = tuple(own.transcript for _, own in rows if own.transcript is not None)
    return Utterances(
        tuple(entry.id for entry, _ in rows), x,
        np.array([entry.start for entry, _ in rows], np.int64),
        np.array([entry.frames for entry, _ in rows], np.int64),
        tuple(own.labels for _, own in rows),
        transcripts or None,
    )  # fmt: skip


def check_fits(labels: np.ndarray, frames: int, name: str) -> np.ndarray:
    """Return labels that CTC can align: a frame for each, and a blank between equal ones. Raises BadUtterance for others."""
    needed = len(labels) + int((labels[1:] == labels[:-1]).sum())
    if len(labels) == 0:
        raise BadUtterance("no_transcript", f"{name} has an empty transcript.")
    if needed > frames:
        raise BadUtterance("too_short", f"{name} has {frames} frames; its {len(labels)} labels need {needed}.")
    return labels
