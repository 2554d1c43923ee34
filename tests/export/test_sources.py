"""The C files are found in a clone and in an installed package, where CMake puts them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spikeseq.errors import ConfigError
from spikeseq.export.sources import runtime_sources

CSRC = Path(__file__).parents[2] / "csrc"


def test_all_files_and_the_licence():
    found = runtime_sources()
    assert set(found) == {path.name for path in CSRC.glob("*.[ch]")} | {"LICENSE"}
    assert found["spikeseq.h"] == (CSRC / "spikeseq.h").read_bytes()
    assert b"Apache License" in found["LICENSE"]


def test_what_cmake_installs_is_found(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    subprocess.run(["cmake", "-S", CSRC, "-B", tmp_path / "build"], check=True, capture_output=True)
    install = ["cmake", "--install", tmp_path / "build", "--component", "sources", "--prefix", tmp_path / "site"]
    subprocess.run(install, check=True, capture_output=True)
    assert runtime_sources(tmp_path / "site" / "spikeseq") == runtime_sources()


def test_an_installation_without_them(tmp_path):
    with pytest.raises(ConfigError, match=r"C files of the runtime.*install spikeseq anew"):
        runtime_sources(tmp_path / "site" / "spikeseq")
