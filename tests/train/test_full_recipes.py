"""The recipes of full data sets that are not at hand, from small archives in their original layouts through to the record."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeseq.data.speech_commands_archive import WORDS
from spikeseq.data.speech_commands_tasks import COMMANDS
from spikeseq.report.record import Record
from spikeseq.train.fit import fit
from spikeseq.train.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = ["train.epochs=1", "train.compile=never", "model.hidden_size=8", "data.batch_size=16"]
SPEAKERS = ("00176480", "026290a7", "0c540988")  # train, valid, test


def run(recipe: str, **changes: Any) -> Record:
    overrides = [*SMALL, *(f"{key.replace('__', '.')}={value}" for key, value in changes.items())]
    return fit(read_recipe(RECIPES / f"{recipe}.yaml", overrides), "run", progress=False).record


@pytest.mark.parametrize(
    ("task", "classes", "recipe"), [("12", 12, "lstm"), ("35", 35, "lstm"), ("12", 12, "gated_v2"), ("35", 35, "adlif")]
)
def test_speech_commands(corpus, speech_like, sound_file, task: str, classes: int, recipe: str) -> None:
    top = "speech_commands/speech_commands_v0.02"
    files = {
        f"{top}/{word}/{speaker}_nohash_0.wav": sound_file(speech_like(16_000, k))
        for k, word in enumerate(WORDS)
        for speaker in SPEAKERS
    }
    files[f"{top}/_background_noise_/hum.wav"] = sound_file(speech_like(170_000, 77))
    files[f"{top}/yes/{SPEAKERS[0]}_nohash_1.wav"] = sound_file(np.zeros(16_000, np.int16))
    test = f"{top.replace('_v0', '_test_set_v0')}"
    for k, word in enumerate((*COMMANDS, "_silence_", "_unknown_")):
        files[f"{test}/{word}/{k}.wav"] = sound_file(speech_like(16_000, 100 + k))
    corpus(files)
    m = run(f"speech_commands_{task}/{recipe}").metrics
    assert m["skipped"] == {"silent": 1}
    assert m["test_accuracy"] * classes == pytest.approx(round(m["test_accuracy"] * classes))


@pytest.mark.parametrize("recipe", ["lstm", "lstm_ctc", "gated_v2", "gated_v2_improved", "leaky_current"])
def test_timit(corpus, speech_like, sound_file, recipe: str) -> None:
    phones = b"0 900 h#\n900 2000 sh\n2000 4000 ix\n4000 5000 tcl\n5000 6000 h#\n"
    files = {}
    for k, folder in enumerate(("TRAIN/DR1/FCJF0", "TRAIN/DR2/MDWD0", "TEST/DR1/FAKS0", "TEST/DR1/FELC0")):
        for sentence in ("SI648", "SX37"):
            files[f"timit/TIMIT/{folder}/{sentence}.WAV"] = sound_file(speech_like(6000, k), "NIST")
            files[f"timit/TIMIT/{folder}/{sentence}.PHN"] = phones
    corpus(files)
    m = run(f"timit/{recipe}").metrics
    assert 0 < m["test_per"] <= 1  # the sounds say nothing: some is wrong, and no more is said than there is
    assert ("test_accuracy" in m) == (recipe != "lstm_ctc")
    assert ("test_per_beam" in m) == (recipe == "lstm_ctc")


def test_librispeech(corpus, speech_like, sound_file) -> None:
    files = {}
    for k, part in enumerate(("train-clean-100", "dev-clean", "test-clean")):
        folder = f"librispeech/LibriSpeech/{part}/{k}/7"
        for n in range(3):
            files[f"{folder}/{k}-7-000{n}.flac"] = sound_file(speech_like(8000 + 1600 * n, n), "FLAC")
        files[f"{folder}/{k}-7.trans.txt"] = "".join(f"{k}-7-000{n} GO HOME\n" for n in range(3)).encode()
    corpus(files)
    m = run("librispeech/lstm_ctc").metrics
    assert {"test_wer", "test_cer", "test_wer_beam", "test_cer_beam"} <= set(m)
    assert "train-clean-100" in m["data_source"]


@pytest.mark.parametrize("recipe", ["lif", "cnn_lstm", "cnn_gru"])
def test_dvs_gesture(corpus, recipe: str) -> None:
    files, folder = {}, "dvs_gesture/DvsGesture"
    for user in (1, 2, 20, 24, 25):
        trials = [1 + user % 2, 5, 11]
        files[f"{folder}/user{user:02}_led.aedat"], files[f"{folder}/user{user:02}_led_labels.csv"] = gestures(trials)
    for part, users in (("train", (1, 2, 20)), ("test", (24, 25))):
        names = "".join(f"user{user:02}_led.aedat\n" for user in users)
        files[f"{folder}/trials_to_{part}.txt"] = names.encode()
    corpus(files)
    settings = read_recipe(RECIPES / "dvs_gesture/lif.yaml").model.pictures
    assert (settings.channels, settings.pooled) == ([64, 128, 128, 256], [1, 3, 4])  # PAPERS.md, 2.6
    m = run(f"dvs_gesture/{recipe}", model__pictures__channels="[2,2,2,4]").metrics
    assert m["test_accuracy"] * 6 == pytest.approx(round(m["test_accuracy"] * 6))
    assert m["data_source"].startswith("DVS128 Gesture")
    assert m["macs_per_element"] > 2 * 32 * 32 * 2 * 9  # counts in the data: the first convolution multiplies
    assert ("spike_rate" in m) == (recipe == "lif")


def gestures(trials: list[int]) -> tuple[bytes, bytes]:
    """A recording of 2 s for each trial, in AEDAT 3.1, and its labels."""
    drawn = np.random.default_rng(0)
    x, y, p = (drawn.integers(0, high, 300 * len(trials)) for high in (128, 128, 2))
    times = np.sort(drawn.integers(0, 2_000_000 * len(trials), len(x)))
    words = np.stack([x << 17 | y << 2 | p << 1 | 1, times], 1).astype("<i4")
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, len(x), len(x), len(x))
    rows = "".join(f"{c},{2_000_000 * n},{2_000_000 * (n + 1)}\n" for n, c in enumerate(trials))
    body = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + head + words.tobytes()
    return body, f"class,startTime_usec,endTime_usec\n{rows}".encode()
