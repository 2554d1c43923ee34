"""Reading audio: three formats give the same samples; every kind of bad file is named, and skipped where that is asked."""

from __future__ import annotations

import io
import re
import struct
import sys

import numpy as np
import pytest

from spikeseq.data.speech.audio import BadUtterance, Skipping, check_speech, decode
from spikeseq.errors import ConfigError, DataError

# a SPHERE header as on the discs of the LDC
LDC = """NIST_1A
   1024
database_id -s5 TIMIT
database_version -s3 1.0
utterance_id -s8 cjf0_sa1
channel_count -i 1
sample_count -i {count}
sample_rate -i 16000
sample_min -i -2191
sample_max -i 2790
sample_n_bytes -i 2
sample_byte_format -s2 01
sample_sig_bits -i 16
{more}end_head
"""


def sphere(samples: np.ndarray, more: str = "") -> bytes:
    return LDC.format(count=len(samples), more=more).encode().ljust(1024) + samples.astype("<i2").tobytes()


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST"])
def test_formats_give_the_samples(speech_like, sound_file, format: str) -> None:
    samples = speech_like(5000)
    found = decode(sound_file(samples, format), "a")
    assert found.dtype == np.int16
    assert np.array_equal(found, samples)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_fractions_are_scaled(speech_like, subtype: str) -> None:
    samples = speech_like(5000)
    assert np.array_equal(decode(fractions(samples / 2**15, subtype), "a"), samples)
    assert decode(fractions(np.array([1.0, 1.5, -1.0, -3.0] * 200), subtype), "a")[:4].tolist() == [
        32767, 32767, -32768, -32768,
    ]  # fmt: skip
    for bad in (np.nan, np.inf):
        refused(fractions(np.append(samples / 2**15, bad), subtype), "damaged", "samples that are no numbers")


def fractions(samples: np.ndarray, subtype: str) -> bytes:
    soundfile, file = pytest.importorskip("soundfile"), io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV", subtype=subtype)
    return file.getvalue()


def test_a_sphere_file_as_the_ldc_writes_it(speech_like) -> None:
    pytest.importorskip("soundfile")
    samples = speech_like(3000)
    assert np.array_equal(decode(sphere(samples), "a"), samples)


def refused(content: bytes, reason: str, words: str) -> None:
    with pytest.raises(BadUtterance, match=rf"^dr1/sa1\.wav .*{words}") as caught:
        decode(content, "dr1/sa1.wav")
    assert caught.value.reason == reason


def test_shorten_is_named_with_the_remedy(speech_like) -> None:
    pytest.importorskip("soundfile")
    coded = sphere(speech_like(3000), "sample_coding -s26 pcm,embedded-shorten-v2.00\n")
    refused(coded, "compressed", "shorten.*sph2pipe -f wav")


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST"])
def test_truncated_files(speech_like, sound_file, format: str) -> None:
    whole = sound_file(speech_like(5000), format)
    if format == "FLAC":
        refused(whole[:-500], "damaged", "damaged or no audio file")
    else:
        refused(whole[:-500], "truncated", "truncated: 4750 samples of 5000")
        refused(whole[:-2], "truncated", "truncated: 4999 samples of 5000")
    refused(whole[:20], "damaged", "damaged or no audio file")


@pytest.mark.parametrize("more", [0, 40_000_000, 2**36 - 5001])
def test_a_flac_file_that_says_it_is_longer(speech_like, sound_file, more: int) -> None:
    """Nothing near what the header says is allocated (2^36 samples: 128 GiB)."""
    whole = sound_file(speech_like(5000), "FLAC")
    head = int.from_bytes(whole[18:26], "big")  # the last 36 bits: number of samples
    assert head % 2**36 == 5000
    forged = whole[:18] + (head + more).to_bytes(8, "big") + whole[26:]
    if not more:
        assert len(decode(forged, "a")) == 5000
    elif more < 2**30:
        refused(forged, "damaged", "damaged or no audio file")
    else:
        refused(forged, "too_long", f"says that it has {5000 + more} samples; at most 57600000 are read")


def test_a_wav_of_unknown_length_is_read_to_its_end(speech_like, sound_file) -> None:
    samples = speech_like(5000)
    whole = sound_file(samples)
    place = whole.index(b"data") + 4
    for size in (0xFFFFFFFF, 0):  # as a program writes that cannot go back; libsndfile reads nothing for 0
        streamed = whole[:place] + struct.pack("<I", size) + whole[place + 4 :]
        assert len(decode(streamed, "a")) in (5000, 0)


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (b"", "empty", "is empty: 0 bytes"),
        (b"<html>log in first</html>", "damaged", "no audio file"),
        (b"\0" * 5000, "damaged", "no audio file"),
    ],
)
def test_no_audio_at_all(content: bytes, reason: str, words: str) -> None:
    pytest.importorskip("soundfile")
    refused(content, reason, words)


def test_another_rate_or_more_channels(speech_like, sound_file) -> None:
    refused(sound_file(speech_like(5000), rate=8000), "sample_rate", "8000 samples a second; resample it to 16000")
    stereo = np.stack([speech_like(5000), speech_like(5000, 1)], 1)
    refused(sound_file(stereo), "channels", "2 channels; mix it down")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(0), "empty"), (np.arange(399), "empty"), (np.zeros(5000), "silent"), (np.full(5000, 7), "silent")],
)
def test_what_cannot_be_speech(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(BadUtterance, match=r"^a (has|is)") as caught:
        check_speech(samples.astype(np.int16), "a")
    assert caught.value.reason == reason


def test_almost_silent_is_not_silent() -> None:
    samples = np.zeros(400, np.int16)
    samples[7] = 1
    assert check_speech(samples, "a") is samples


def test_skipping_counts_by_reason_and_error_raises() -> None:
    skipping = Skipping("skip")
    for reason in ("silent", "truncated", "silent"):
        with skipping.guard():
            raise BadUtterance(reason, "x")
    skipping.add({"silent": 2, "label": 1})
    assert skipping.counts == {"silent": 4, "truncated": 1, "label": 1}
    with pytest.raises(BadUtterance, match=re.escape("x is bad. To leave such utterances out: on_bad: skip")) as caught:  # noqa: SIM117
        with Skipping("error").guard():
            raise BadUtterance("silent", "x is bad.")
    assert caught.value.reason == "silent"
    with pytest.raises(DataError, match="disk"), Skipping("skip").guard():  # other errors are not bad utterances
        raise DataError("disk")
    with pytest.raises(ConfigError, match="on_bad='ignore' is not valid; valid: error, skip"):
        Skipping("ignore")


@pytest.mark.parametrize("call", ["spikeseq.data.speech.audio.sound_library", "spikeseq.data.speech.fbank.options"])
def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    module, _, name = call.rpartition(".")
    with pytest.raises(DataError, match=r"pip install 'spikeseq\[speech\]'"):
        getattr(sys.modules[module], name)()
