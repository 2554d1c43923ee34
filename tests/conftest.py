"""Settings of every test, and audio files, corpora and a machine without data to try things with."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from spikeseq.data import sources

# property tests are the same on each run and have no clock of their own
settings.register_profile("spikeseq", deadline=None, derandomize=True, max_examples=15)
settings.load_profile("spikeseq")


@pytest.fixture
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No SPIKESEQ_DATA and an empty cache, whose folder is returned."""
    monkeypatch.delenv(sources.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def speech_like(samples: int, seed: int = 0) -> np.ndarray:
    """Noise that swells and fades, int16: enough for any front end."""
    random = np.random.default_rng(seed)
    swell = 1 + np.sin(np.arange(samples) / 900 + seed)
    return (random.standard_normal(samples) * 2000 * swell).astype(np.int16)


def sound_file(samples: np.ndarray, format: str = "WAV", rate: int = 16_000) -> bytes:
    """The bytes of a WAV, FLAC or NIST (SPHERE) file."""
    soundfile = pytest.importorskip("soundfile")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype="PCM_16")
    return buffer.getvalue()


@pytest.fixture(name="speech_like", scope="session")
def speech_like_fixture() -> Callable[..., np.ndarray]:
    return speech_like


@pytest.fixture(name="sound_file", scope="session")
def sound_file_fixture() -> Callable[..., bytes]:
    return sound_file


@pytest.fixture
def corpus(empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], Path]:
    """A function: files by name -> the data folder that holds them, which SPIKESEQ_DATA then names; the cache is empty."""

    def put(files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path / "data"))
        return tmp_path / "data"

    return put


def tar_gz(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of files by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(name="tar_gz")
def tar_gz_fixture() -> Callable[[dict[str, bytes]], bytes]:
    return tar_gz
