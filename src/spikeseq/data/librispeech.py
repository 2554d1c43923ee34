"""LibriSpeech: read English books with their text, as Kaldi filterbank features normalised by speaker; characters.

Source: Panayotov, Chen, Povey & Khudanpur, "Librispeech: an ASR corpus based on public domain audio books", ICASSP 2015,
doi:10.1109/ICASSP.2015.7178964; https://www.openslr.org/12. Licence: CC BY 4.0.
Checksums: the md5 that OpenSLR publishes for each archive; the sha256 of the small subset.
Split: the official parts; of the small subset (short utterances of test-clean) ours, by speaker.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikeseq.data.options import check_choice
from spikeseq.data.packed import read_packed
from spikeseq.data.sources import DataFile
from spikeseq.data.speech import collect
from spikeseq.data.speech.audio import BadUtterance, Skipping
from spikeseq.data.speech.corpus import find_corpus, members, state_of, text, verify_archive
from spikeseq.data.utterances import BLANK, SpeechData
from spikeseq.errors import ConfigError, DataError

PAGE = "https://www.openslr.org/resources/12/"
MD5 = {
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
}
SMALL_AUDIO = DataFile(
    "librispeech_small",
    "libri.flac",
    "sha256:bfb2844279c1db0944afb52858c9f874d33b0cb95d23c0daf7dc1ebb2010aefe",
    19_108_002,
)
SMALL_TABLE = DataFile(
    "librispeech_small", "libri.tsv", "sha256:10c52a04c79ebc90c1f7ed74618a65d05c058b850e7cd4f861246929980b667f", 33_529
)
CHARACTERS = (" ", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def load(
    *,
    variant: str = "full",
    train: str = "train-clean-100",
    valid: str = "dev-clean",
    test: str = "test-clean",
    on_bad: str = "error",
) -> SpeechData:
    """Load LibriSpeech: 40 bands, a frame every 10 ms; the characters in their order (CTC).

    variant              "full": the parts below, downloaded where they are not found (train-clean-100: 6.4 GB);
                         "small": 360 short utterances, far too few for published figures
    train, valid, test   parts of the corpus, such as "train-clean-100"
    on_bad               "error": the first bad utterance is an error; "skip": bad ones are left out and counted

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_choice("variant", variant, ("full", "small"))
    parts = {"train": train, "valid": valid, "test": test}
    for option, part in parts.items():
        check_choice(option, part, tuple(MD5))
    if len(set(parts.values())) < len(parts):
        raise ConfigError(f"train={train!r}, valid={valid!r}, test={test!r}: pass three different parts")
    skipping = Skipping(on_bad)
    if variant == "small":
        x, entries = collect.in_memory(_collect_small, skipping)
        source = "LibriSpeech, 360 short utterances of test-clean, https://www.openslr.org/12"
    else:
        x, entries = _from_parts(parts, skipping)
        source = f"LibriSpeech, {train}, {valid}, {test}, https://www.openslr.org/12"
    return SpeechData(
        name="librispeech",
        **collect.to_splits(x, entries, _label, skipping),
        targets="sequence",
        unit="character",
        classes=(BLANK, *CHARACTERS),
        scored=(None, *CHARACTERS),
        source=source,
        licence="CC BY 4.0",
        skipped=skipping.counts,
    )


def _label(entry: collect.Entry) -> collect.Labels:
    unknown = sorted(set(entry.note) - set(CHARACTERS))
    if unknown:
        raise BadUtterance("label", f"{entry.id} has {unknown} in its transcript; known are A to Z, ' and space.")
    labels = np.array([CHARACTERS.index(character) + 1 for character in entry.note], np.int64)
    return collect.Labels(collect.check_fits(labels, entry.frames, entry.id))


def _collect_small(collector: collect.Collector) -> None:
    notes = {}
    for samples, row in read_packed(SMALL_AUDIO, SMALL_TABLE):
        collector.add(row["id"], row["speaker"], row["split"], samples)
        notes[row["id"]] = row["text"]
    collector.join(notes)


def _from_parts(parts: dict[str, str], skipping: Skipping) -> tuple[np.ndarray, list[collect.Entry]]:
    paths = {split: find_corpus("librispeech", f"LibriSpeech/{part}", archive(part)) for split, part in parts.items()}

    def fill(collector: collect.Collector) -> None:
        notes: dict[str, str] = {}
        for split, part in parts.items():
            verify_archive(paths[split], archive(part))
            notes |= _collect_part(paths[split], part, split, collector)
        collector.join(notes)

    return collect.in_cache("librispeech", {split: state_of(path) for split, path in paths.items()}, fill, skipping)


def archive(part: str) -> DataFile:
    """Return the archive of a part, as OpenSLR serves it."""
    name = f"{part}.tar.gz"
    return DataFile("librispeech", name, checksum=None, url=PAGE + name, served=f"md5:{MD5[part]}")


def _collect_part(path: Path, part: str, split: str, collector: collect.Collector) -> dict[str, str]:
    """Read the recordings of a part; return its transcripts. Raises DataError when there are none."""
    notes: dict[str, str] = {}

    def wanted(name: str) -> str | None:
        return name.rpartition("/")[2] if name.endswith((".flac", ".trans.txt")) else None

    for name, content in members(path, wanted):
        if name.endswith(".flac"):
            id = name.removesuffix(".flac")
            collector.add(id, id.partition("-")[0], split, content)
        else:
            lines = (line.partition(" ") for line in text(content, f"{path}: {name}").splitlines() if line.strip())
            notes |= {id: words.strip() for id, _, words in lines}
    if not notes:
        raise DataError(
            f"{path} has no transcripts of {part} such as 103/1240/103-1240.trans.txt; see data/librispeech.py"
        )
    return notes
