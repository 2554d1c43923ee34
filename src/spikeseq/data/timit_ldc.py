"""TIMIT as the LDC hands it out (LDC93S1): TRAIN and TEST, then DR1 .. DR8, speakers, and .WAV, .PHN, .WRD and .TXT files.

The names may be in small letters (as in some copies), the folder may be the tar archive. The .WAV files are NIST SPHERE; RIFF
files under the same names do as well, and a .WAV.wav beside one is left alone. sa1 and sa2, which every speaker reads, are left
out as usual.
Split: the 462 speakers of TRAIN; valid the 50 speakers and test the 24 speakers (core test) of TEST that are customary.
"""

from __future__ import annotations

import re
from pathlib import Path

from spikeseq.data.sources import DataFile, data_folders, find
from spikeseq.data.speech.audio import BadUtterance
from spikeseq.data.speech.collect import Collector
from spikeseq.data.speech.corpus import members
from spikeseq.errors import DataError

ARCHIVE = DataFile("timit", "timit_LDC93S1.tgz", checksum=None)
# Garofolo et al., the documentation of the corpus: 2 men and 1 woman of each dialect region
CORE_TEST = (
    "mdab0", "mwbt0", "felc0", "mtas1", "mwew0", "fpas0", "mjmp0", "mlnt0", "fpkt0", "mlll0", "mtls0", "fjlm0",
    "mbpm0", "mklt0", "fnlp0", "mcmj0", "mjdh0", "fmgd0", "mgrt0", "mnjm0", "fdhc0", "mjln0", "mpam0", "fmld0",
)  # fmt: skip
# Halberstadt, "Heterogeneous Acoustic Measurements and Multiple Classifiers for Speech Recognition", MIT 1998
DEVELOPMENT = (
    "faks0", "fdac1", "fjem0", "mgwt0", "mjar0", "mmdb1", "mmdm2", "mpdf0", "fcmh0", "fkms0", "mbdg0", "mbwm0",
    "mcsh0", "fadg0", "fdms0", "fedw0", "mgjf0", "mglb0", "mrtk0", "mtaa0", "mtdt0", "mthc0", "mwjg0", "fnmr0",
    "frew0", "fsem0", "mbns0", "mmjr0", "mdls0", "mdlf0", "mdvc0", "mers0", "fmah0", "fdrw0", "mrcs0", "mrjm4",
    "fcal1", "mmwh0", "fjsj0", "majc0", "mjsw0", "mreb0", "fgjd0", "fjmg0", "mroa0", "mteb0", "mjfc0", "mrjr0",
    "fmml0", "mrws1",
)  # fmt: skip
_FILE = re.compile(r"(?:^|/)(train|test)/(dr[1-8])/([a-z]{4}\d)/(s[aix]\d+)\.(wav|phn)$")
SEGMENT = re.compile(r"([0-9]{1,12})\s+([0-9]{1,12})\s+(\S+)")  # a line of a .PHN file


def find_ldc() -> Path | None:
    """Return the folder that holds TRAIN and TEST, or the archive; None when there is neither."""
    for data in data_folders():
        top = data / "timit"
        for folder in (top, *sorted(top.glob("*/")), *sorted(top.glob("*/*/"))):
            inside = {child.name.lower() for child in folder.iterdir()} if folder.is_dir() else set()
            if {"train", "test"} <= inside:
                return folder
    return find(ARCHIVE)


def collect(path: Path, collector: Collector) -> None:
    """Read every recording and its phones. Raises DataError when there is nothing in the layout of the corpus."""
    notes: dict[str, list[tuple[int, int, str]] | None] = {}
    for name, content in members(path, _wanted):
        part, dialect, speaker, sentence, kind = _FILE.search(name).groups()  # type: ignore[union-attr]
        id = f"{dialect}-{speaker}/{sentence}"
        if kind == "wav":
            collector.add(id, speaker, str(_split(part, speaker)), content)
        else:
            notes[id] = None
            with collector.skipping.guard():
                notes[id] = parse_phones(content, id)
    if not notes and not collector.entries:
        raise DataError(f"{path} holds no TIMIT files such as TRAIN/DR1/FCJF0/SI648.WAV; see data/timit_ldc.py")
    collector.join(notes)


def _wanted(name: str) -> str | None:
    """Name in small letters of a file that is read: of a speaker of one of the splits, and no sa sentence."""
    found = _FILE.search(name.lower())
    if not found or found[4].startswith("sa") or _split(found[1], found[3]) is None:
        return None
    return name.lower()


def _split(part: str, speaker: str) -> str | None:
    if part == "train":
        return "train"
    return "test" if speaker in CORE_TEST else "valid" if speaker in DEVELOPMENT else None


def parse_phones(content: bytes, name: str) -> list[tuple[int, int, str]]:
    """Return the lines "first sample, sample behind the last, phone" of a .PHN file. Raises BadUtterance for other lines."""
    segments = []
    for line in content.decode("ascii", "replace").splitlines():
        found = SEGMENT.fullmatch(line.strip())
        if found is None or int(found[1]) > int(found[2]):
            raise BadUtterance("alignment", f"{name}: {line[:80]!r} in its .PHN file is not 'start stop phone'.")
        segments.append((int(found[1]), int(found[2]), found[3]))
    if not segments:
        raise BadUtterance("no_transcript", f"{name}: its .PHN file is empty.")
    return segments
