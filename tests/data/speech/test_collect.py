"""From recordings to splits: features in order, scaled by speaker, transcripts joined, each bad utterance counted once."""

from __future__ import annotations

import numpy as np
import pytest

from spikeseq.data.speech.audio import BadUtterance, Skipping
from spikeseq.data.speech.collect import (
    Collector,
    Entry,
    Labels,
    check_fits,
    in_cache,
    in_memory,
    normalise_by_speaker,
    to_splits,
)
from spikeseq.data.speech.fbank import fbank

pytest.importorskip("kaldi_native_fbank")


def test_features_lie_end_to_end_and_are_scaled_by_speaker(speech_like) -> None:
    sounds = {f"{speaker}{k}": speech_like(4000 + 800 * k, k) for speaker in "ab" for k in range(2)}

    def fill(collector: Collector) -> None:
        for id, samples in sounds.items():
            collector.add(id, id[0], "train", samples)
        collector.join(dict.fromkeys(sounds, "text"))

    x, entries = in_memory(fill, Skipping("error"))
    assert [entry.id for entry in entries] == ["a0", "a1", "b0", "b1"]
    own = {entry.id: x[entry.start : entry.start + entry.frames] for entry in entries}
    for speaker in "ab":
        raw = {id: fbank(samples) for id, samples in sounds.items() if id[0] == speaker}
        both = np.concatenate(list(raw.values()))
        for id, features in raw.items():
            np.testing.assert_allclose(own[id], (features - both.mean(0)) / both.std(0), atol=1e-4)


def test_a_band_that_never_changes_becomes_nought() -> None:
    x = np.ones((6, 2), np.float32)
    x[:, 1] = range(6)
    normalise_by_speaker(x, [Entry("a", "s", "train", 0, 3), Entry("b", "s", "test", 3, 3)])
    assert not x[:, 0].any()
    np.testing.assert_allclose(x[:3, 1], x[3:, 1], atol=1e-6)  # a name in two splits is two speakers


def make(collector: Collector, speech_like, sound_file) -> None:
    good = sound_file(speech_like(4000))
    for id, audio in {
        "good": good, "cut": good[:-100], "slow": sound_file(speech_like(4000), rate=8000), "mute": np.zeros(4000, np.int16),
        "none": b"", "wordless": good, "unread": good,
    }.items():  # fmt: skip
        collector.add(id, "s", "train", audio)
    collector.join({"good": "a", "cut": "a", "slow": "a", "mute": "a", "none": "a", "soundless": "a", "unread": None})


def test_each_bad_utterance_is_counted_once_and_by_its_reason(speech_like, sound_file) -> None:
    skipping = Skipping("skip")
    _, entries = in_memory(lambda c: make(c, speech_like, sound_file), skipping)
    assert [(entry.id, entry.note) for entry in entries] == [("good", "a")]
    assert skipping.counts == {
        "truncated": 1, "sample_rate": 1, "silent": 1, "empty": 1, "no_audio": 1, "no_transcript": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ids", "notes", "words"),
    [
        (["a"], {"a": "x", "b": "x"}, "b has a transcript and no audio"),
        (["a", "b"], {"a": "x"}, "b has audio and no transcript"),
    ],
)
def test_the_first_bad_one_is_an_error(speech_like, ids, notes, words) -> None:
    def fill(collector: Collector) -> None:
        for id in ids:
            collector.add(id, "s", "train", speech_like(800))
        collector.join(notes)

    with pytest.raises(BadUtterance, match=f"^{words}.*on_bad: skip"):
        in_memory(fill, Skipping("error"))


def test_through_the_cache_it_is_the_same_and_computed_once(empty_machine, speech_like, sound_file) -> None:
    calls = []

    def fill(collector: Collector) -> None:
        calls.append(1)
        make(collector, speech_like, sound_file)

    expected, entries = in_memory(lambda c: make(c, speech_like, sound_file), first := Skipping("skip"))
    for _ in range(2):
        skipping = Skipping("skip")
        x, found = in_cache("toy", {"state": 1}, fill, skipping)
        assert found == entries
        assert np.array_equal(x, expected)
        assert skipping.counts == first.counts  # counted again when it is read again
    assert len(calls) == 1
    in_cache("toy", {"state": 2}, fill, Skipping("skip"))
    assert len(calls) == 2
    with pytest.raises(BadUtterance):  # what was skipped before is an error where errors are asked for
        in_cache("toy", {"state": 1}, fill, Skipping("error"))


def test_splits_leave_out_what_has_no_labels() -> None:
    entries = [
        Entry("a", "s", "train", 0, 2, "x"),
        Entry("b", "s", "train", 2, 3, "?"),
        Entry("c", "t", "test", 5, 1, "x"),
    ]

    def label(entry: Entry) -> Labels:
        if entry.note == "?":
            raise BadUtterance("label", "b has ?.")
        return Labels(np.arange(entry.frames), np.array([7]))

    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    skipping = Skipping("skip")
    splits = to_splits(x, entries, label, skipping)
    assert {name: split.ids for name, split in splits.items()} == {"train": ("a",), "valid": (), "test": ("c",)}
    assert splits["test"].features(0).tolist() == [[10, 11]]
    assert [y.tolist() for y in (*splits["train"].labels, *splits["train"].transcripts)] == [[0, 1], [7]]
    assert skipping.counts == {"label": 1}
    with pytest.raises(BadUtterance):
        to_splits(x, entries, label, Skipping("error"))


@pytest.mark.parametrize(("labels", "frames"), [([1, 2, 3], 3), ([1, 1], 3), ([1, 1, 2, 2], 6)])
def test_labels_that_ctc_can_just_align(labels: list[int], frames: int) -> None:
    assert check_fits(np.array(labels), frames, "a").tolist() == labels
    with pytest.raises(
        BadUtterance, match=rf"a has {frames - 1} frames; its {len(labels)} labels need {frames}"
    ) as caught:
        check_fits(np.array(labels), frames - 1, "a")
    assert caught.value.reason == "too_short"


def test_an_empty_transcript_is_none() -> None:
    with pytest.raises(BadUtterance, match="a has an empty transcript") as caught:
        check_fits(np.array([], np.int64), 9, "a")
    assert caught.value.reason == "no_transcript"
