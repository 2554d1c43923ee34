"""The log-mel front end against the stored features, and against kaldi-native-fbank set to the same recipe."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from spikeseq.data.speech.logmel import decibels, log_mel, one_second, steps

OTHER_VERSION = 5  # of the 170 raw clips: their stored row is of v0.02, the clip of v0.01 (README of the data)


def test_stored_features_of_the_raw_clips(real_folder) -> None:
    soundfile = pytest.importorskip("soundfile")
    folder = real_folder("speech_commands")
    audio, _ = soundfile.read(folder / "gsc_raw_sample.flac", dtype="int16")
    with (folder / "gsc_raw_sample.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    stored = np.load(folder / "gsc_logmel_test.npz")["X"][[int(row["test_row"]) for row in rows]]
    clips = np.stack([one_second(audio[int(row["start"]) : int(row["stop"])]) for row in rows])
    difference = np.abs(log_mel(clips).astype(int) - stored).max((1, 2))
    assert len(rows) == 170
    assert (difference <= 1).sum() == 170 - OTHER_VERSION
    assert (difference == 0).sum() == 170 - OTHER_VERSION  # float64 hits every step
    assert np.sort(difference)[-OTHER_VERSION:].min() > 40


def test_kaldi_native_fbank_gives_the_same_within_a_step(speech_like) -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.dither = frame.preemph_coeff = 0.0
    frame.remove_dc_offset, frame.window_type = False, "hann"
    mel.num_bins, mel.low_freq, mel.high_freq = 40, 20.0, 8000.0
    mel.is_librosa, mel.use_slaney_mel_scale, mel.norm = True, False, ""  # HTK mel, triangles in Hz, peak 1
    options.use_log_fbank = False
    clip = speech_like(16_000)
    extractor = kaldi.OnlineFbank(options)
    extractor.accept_waveform(16_000, (clip / np.float32(32768)).tolist())
    extractor.input_finished()
    energy = np.stack([extractor.get_frame(n) for n in range(extractor.num_frames_ready)]).astype(np.float64)
    own = decibels(clip / 32768)
    assert own.shape == energy.shape == (98, 40)
    np.testing.assert_allclose(own, 10 * np.log10(energy + 1e-10), atol=2e-3)
    assert np.abs(steps(own).astype(int) - steps(10 * np.log10(energy + 1e-10))).max() <= 1


def test_steps_are_whole_decibels_above_the_floor() -> None:
    level = np.array([-1e9, -70.6, -70.4, -69.4, 0.4, 56.9, 57.6, 99.0])
    assert steps(level).tolist() == [0, 0, 0, 1, 70, 127, 127, 127]


def test_digital_silence_is_the_floor() -> None:
    assert (log_mel(np.zeros((2, 16_000), np.int16)) == 0).all()


def test_clips_together_are_the_clips_alone(speech_like) -> None:
    clips = np.stack([speech_like(16_000, seed) for seed in range(3)])
    assert np.array_equal(log_mel(clips), np.stack([log_mel(clip) for clip in clips]))


def test_one_second_is_cut_or_filled_up_at_the_end(speech_like) -> None:
    samples = speech_like(20_000)
    assert np.array_equal(one_second(samples), samples[:16_000])
    short = one_second(samples[:9_000])
    assert np.array_equal(short[:9_000], samples[:9_000])
    assert len(short) == 16_000
    assert not short[9_000:].any()
