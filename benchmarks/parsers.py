"""One small file of every format that spikeseq reads, its reader, and what must hold of all that the reader lets pass."""

from __future__ import annotations

import dataclasses
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import soundfile
import torch
from torch import nn

import spikeseq.nn as snn
from damage import damaged
from spikeseq.cli.energy_layers import read_sequences
from spikeseq.data import dvs_gesture, imdb, nmnist
from spikeseq.data.events.aedat import parse_aedat
from spikeseq.data.events.atis import parse_bin
from spikeseq.data.events.frames import Events, Framing, to_frames
from spikeseq.data.idx import parse_idx
from spikeseq.data.sources import DataFile
from spikeseq.data.speech.audio import LONGEST, decode
from spikeseq.data.speech.corpus import members
from spikeseq.data.speech.phones import label_frames
from spikeseq.data.text.glove import read_glove
from spikeseq.data.text.tokenizer import Tokenizer, train_tokenizer
from spikeseq.data.timit_ldc import parse_phones
from spikeseq.data.uci_har_archive import read_archive
from spikeseq.data.utterances import NO_LABEL
from spikeseq.data.verify import checksum, read
from spikeseq.energy.cost import PriceTable, read_table
from spikeseq.exchange import from_nir, to_nir
from spikeseq.nn.layers_file import load_layers, save_layers
from spikeseq.train.recipe import Recipe, read_recipe
from spikeseq.train.sweep.space import read_space

WORDS = ("the", "film", "was", "good")


class Parser(NamedTuple):
    """A format."""

    what: str
    path: Path
    read: Callable[[Path], Any]
    sound: Callable[[Any], bool] | None  # None: the file has a checksum


def fuzz(folder: Path, copies: int, chance: random.Random) -> list[dict[str, Any]]:
    """Damage a file of each format so many times; a row for each."""
    folder.mkdir(parents=True, exist_ok=True)
    return [damaged(p.what, p.path, p.read, copies, chance, p.sound) for p in parsers(folder)]


def parsers(folder: Path) -> list[Parser]:
    """The formats, with their files written to ``folder``."""
    return [*events(folder), *speech(folder), *texts(folder), *tables(folder), *networks(folder)]


def events(folder: Path) -> list[Parser]:
    drawn = np.random.default_rng(0)
    count, side = 60, 34
    x, y, p = (drawn.integers(0, high, count) for high in (side, side, 2))
    t = np.sort(drawn.integers(0, 300_000, count))
    raw = np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], 1).astype(np.uint8).tobytes()
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, count, count, count)
    words = np.stack([x << 17 | y << 2 | p << 1 | 1, t], 1).astype("<i4").tobytes()
    labels = "class,startTime_usec,endTime_usec\n1,0,1000\n11,1000,200000\n4,200000,290000\n"

    def zipped(path: Path) -> Any:
        """As the loader takes an archive that lies in the data folder."""
        own = {"train": DataFile("", path.name, None)}
        with mock.patch.object(nmnist, "ORIGINAL", own), _data(path.parent):
            found = [
                (to_frames(recording, Framing(4, side), side), digit) for recording, digit in nmnist._original("train")
            ]
        return found

    return [
        Parser(
            "N-MNIST recording", _write(folder / "00001.bin", raw),
            lambda path: _framed(parse_bin(path.read_bytes(), path.name), side), _counts,
        ),
        Parser(
            "N-MNIST archive (zip)", _write(folder / "Train.zip", _zip({"Train/7/1.bin": raw, "Train/0/2.bin": raw})), zipped,
            lambda found: all(_counts(frames) and 0 <= digit <= 9 for frames, digit in found),
        ),
        Parser(
            "AEDAT 3.1", _write(folder / "user01_led.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + head + words),
            lambda path: _framed(parse_aedat(path.read_bytes(), path.name), 128), _counts,
        ),
        Parser(
            "labels of DVS128 Gesture", _write(folder / "user01_led_labels.csv", labels.encode()), dvs_gesture.read_labels,
            lambda rows: all(0 <= label <= 10 and 0 <= start < stop for label, start, stop in rows),
        ),
        Parser(
            "IDX", _write(folder / "images-idx3-ubyte", struct.pack(">iiii", 2051, 4, 5, 5) + bytes(range(100))),
            lambda path: parse_idx(path.read_bytes(), path.name, 3), lambda found: found.dtype == np.uint8 and found.ndim == 3,
        ),
    ]  # fmt: skip


def speech(folder: Path) -> list[Parser]:
    sound = (np.sin(np.arange(4000) / 5) * 8000 + np.random.default_rng(0).normal(size=4000) * 500).astype(np.int16)
    formats = {
        "WAV": ("WAV", "PCM_16"),
        "WAV of floats": ("WAV", "FLOAT"),
        "FLAC": ("FLAC", "PCM_16"),
        "SPHERE": ("NIST", "PCM_16"),
    }
    made = []
    for what, (kind, subtype) in formats.items():
        buffer = io.BytesIO()
        soundfile.write(buffer, sound, 16_000, format=kind, subtype=subtype)
        made.append(
            Parser(what, _write(folder / f"{what.replace(' ', '_')}.sound", buffer.getvalue()),
                   lambda path: decode(path.read_bytes(), path.name),
                   lambda found: found.dtype == np.int16 and found.ndim == 1 and len(found) <= LONGEST)
        )  # fmt: skip
    phones = b"0 900 h#\n900 2000 sh\n2000 3000 ix\n3000 4000 h#\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("LibriSpeech/1/7/1-7.trans.txt", "LibriSpeech/1/7/1-7-0001.flac"):
            info = tarfile.TarInfo(name)
            info.size = 300
            tar.addfile(info, io.BytesIO(random.Random(0).randbytes(300)))
    return [
        *made,
        Parser(
            "phones of TIMIT", _write(folder / "SI648.PHN", phones),
            lambda path: label_frames(parse_phones(path.read_bytes(), path.name), 23, 39, path.name),
            lambda labels: labels.shape == (23,) and set(labels.tolist()) <= {NO_LABEL, *range(39)},
        ),
        Parser(
            "archive of a corpus (tar.gz)", _write(folder / "train.tar.gz", archive.getvalue()),
            lambda path: list(members(path, str)), None,
        ),
    ]  # fmt: skip


def texts(folder: Path) -> list[Parser]:
    tokenizer = train_tokenizer([" ".join(WORDS), "a bad film"], 40)
    reviews = "\n".join(json.dumps({"text": " ".join(WORDS[: k + 1]), "label": k % 2}) for k in range(4))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for part, name in ((part, name) for part in ("train", "test") for name in ("neg", "pos")):
            info = tarfile.TarInfo(f"aclImdb/{part}/{name}/0_1.txt")
            info.size = 9
            tar.addfile(info, io.BytesIO(b"good film"))
    vectors = "".join(f"{word} {k / 7:.3f} {-k / 3:.3f} 0.5\n" for k, word in enumerate(WORDS))

    def lines(path: Path) -> Any:
        """The file is read compressed; what is damaged is what stands in it."""
        (path.parent / "packed.xz").write_bytes(lzma.compress(path.read_bytes()))
        with _data(path.parent):
            return imdb._lines(DataFile("", "packed.xz", None))

    def reviewed(path: Path) -> Any:
        own = dataclasses.replace(imdb.ORIGINAL, dataset="", name=path.name, served=None)
        with mock.patch.object(imdb, "ORIGINAL", own), mock.patch.object(imdb, "REVIEWS", 1), _data(path.parent):
            return imdb._archive()

    return [
        Parser(
            "tokenizer", _write(folder / "tokenizer.json", tokenizer.to_json().encode()),
            lambda path: _tokens(Tokenizer.from_json(path.read_text(encoding="utf-8", errors="replace"))),
            lambda found: all(0 <= i < found[0] for i in found[1]),
        ),
        Parser("reviews (JSON lines)", _write(folder / "train.jsonl", reviews.encode()), lines, _are_reviews),
        Parser("archive of reviews (tar)", _write(folder / "aclImdb.tar", archive.getvalue()), reviewed,
               lambda found: all(map(_are_reviews, found))),
        Parser(
            "GloVe", _write(folder / "glove.txt", vectors.encode()), lambda path: read_glove(path, WORDS, 3),
            lambda found: found[0].shape == (4, 3) and bool(found[0].isfinite().all()) and 0 < found[1] <= 1,
        ),
    ]  # fmt: skip


def tables(folder: Path) -> list[Parser]:
    plan = (
        "name: digits/fuzzed\ndata: {name: digits, batch_size: 32, options: {order: rows}}\n"
        "model: {cell: quantized_lstm, hidden_size: 16, options: {time_steps: 2}}\n"
        "train:\n  epochs: 2\n  learning_rate: 0.01\n  target_spike_rate: 0.2\n"
    )
    recipe = _write(folder / "recipe.yaml", plan.encode())
    whole = read_recipe(recipe)
    space = "train.learning_rate: {low: 0.001, high: 0.1, log: true}\nmodel.options.time_steps: [1, 2, 4]\n"
    prices = "name: ours\nformats: {int8: {add: 0.007, multiply: 0.07, word_bits: 8, product_bits: 8}}\nint8_mac: 0.1\n"
    windows = _zip(_windows())
    return [
        Parser("recipe (YAML)", recipe, read_recipe, lambda found: isinstance(found, Recipe) and found.train.epochs >= 1),
        Parser(
            "space of a sweep (YAML)", _write(folder / "space.yaml", space.encode()), lambda path: read_space(path, whole),
            lambda found: all(getattr(own, "low", 0) <= getattr(own, "high", 0) for own in found.values()),
        ),
        Parser(
            "prices (YAML)", _write(folder / "prices.yaml", prices.encode()), read_table,
            lambda found: isinstance(found, PriceTable) and 0 < found.int8_mac < float("inf"),
        ),
        Parser(
            "UCI HAR (zip)", _write(folder / "har.zip", windows),
            lambda path: [tuple(part) for part in read_archive(path.read_bytes(), path.name, {"train": 1, "test": 1})],
            lambda found: all(np.isfinite(x).all() and x.shape == (1, 128, 9) for x, _, _ in found),
        ),
        Parser(
            "sequences (npy)", _npy(folder / "x.npy"), read_sequences, lambda x: bool(x.isfinite().all()) and x.dim() >= 3
        ),
    ]  # fmt: skip


def networks(folder: Path) -> list[Parser]:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(6, 8), snn.LIF(8, reset="zero"), nn.Linear(8, 3), snn.Integrator()]
    model = snn.Sequential(*layers).eval()
    to_nir(model, folder / "net.nir")
    saved = save_layers(folder / "net.pt", model, (6,))
    content = b"a data file whose checksum is known " * 20
    known = DataFile("", "known.bin", checksum(content, "sha256"), len(content))

    def checked(path: Path) -> bytes:
        with _data(path.parent):
            return read(known)

    return [
        Parser(
            "NIR graph (HDF5)", folder / "net.nir", lambda path: _ran(from_nir(path)),
            lambda found: found is None or (found.shape[0] == 1 and not bool(found.isnan().any())),
        ),
        Parser("layers file", saved, lambda path: load_layers(path).model.state_dict(), None),
        Parser("data file with a checksum", _write(folder / "known.bin", content), checked, None),
    ]  # fmt: skip


def _ran(imported: Any) -> torch.Tensor | None:
    """What an imported network says to one element, where the graph tells its shape."""
    if imported.element_shape is None:
        return None
    with torch.no_grad():
        output: torch.Tensor = imported.model(torch.ones(2, 1, *imported.element_shape))[0]
    return output


def _tokens(tokenizer: Tokenizer) -> tuple[int, list[int]]:
    return len(tokenizer), tokenizer.encode(["the film was a bad one"])[0].tolist()


def _are_reviews(reviews: Any) -> bool:
    return all(isinstance(review.text, str) and review.label in (0, 1) for review in reviews)


def _framed(found: Events, side: int) -> np.ndarray:
    return to_frames(found, Framing(4, 34 if side == 34 else 32), side)


def _counts(frames: np.ndarray) -> bool:
    return frames.shape[0] == 4 and bool(np.isfinite(frames).all()) and bool((frames >= 0).all())


def _windows() -> dict[str, bytes]:
    """One window of each split, as the archive has it."""
    files: dict[str, bytes] = {}
    row = " ".join(f"{v:.6e}" for v in np.sin(np.arange(128)))
    for split, subject in (("train", 1), ("test", 2)):
        top = f"UCI HAR Dataset/{split}"
        files[f"{top}/y_{split}.txt"], files[f"{top}/subject_{split}.txt"] = b"3\n", f"{subject}\n".encode()
        for signal in ("total_acc", "body_acc", "body_gyro"):
            for axis in "xyz":
                files[f"{top}/Inertial Signals/{signal}_{axis}_{split}.txt"] = f" {row}\n".encode()
    return files


def _data(folder: Path) -> Any:
    """Look for data in this folder alone."""
    return mock.patch("spikeseq.data.sources.data_folders", return_value=[folder])


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _npy(path: Path) -> Path:
    np.save(path, np.random.default_rng(0).random((2, 5, 6), np.float32))
    return path


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
