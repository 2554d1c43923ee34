"""The open sample of TIMIT (NLTK): 16 of the train speakers, 160 utterances, 490 s; far too small for published figures.

Files: timit.flac, timit.tsv (speaker, dialect, sentence), alignments.json.gz (the phones and their samples).
Split: by dialect region: train dr1 to dr6, valid dr7, test dr8. sa1 and sa2, which every speaker reads, only in train.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from spikeseq.data.packed import read_packed
from spikeseq.data.sources import DataFile
from spikeseq.data.speech.collect import Collector
from spikeseq.data.verify import read

AUDIO = DataFile(
    "timit_sample", "timit.flac", "sha256:61ad85c38e4eb2dc1066dff06d0e24faf4ad0b3707f05a1037b1923a5875d308", 7_177_139
)
TABLE = DataFile(
    "timit_sample", "timit.tsv", "sha256:814c188dac87e0812fcab5c9beb51a3e442cee56e8f84924629105c633a2fa98", 15_847
)
ALIGNMENTS = DataFile(
    "timit_sample",
    "alignments.json.gz",
    "sha256:9164ad1bbe9d92fbc9e746d5f229d33841d4677e570a6727b9f7e2506d814ec8",
    149_244,
)
SPLITS: Mapping[str, str] = {**{f"dr{k}": "train" for k in range(1, 7)}, "dr7": "valid", "dr8": "test"}


def collect(collector: Collector) -> None:
    """Read every recording and its phones. Raises DataError when a file is missing or corrupt."""
    phones = {id: found["phones"] for id, found in json.loads(read(ALIGNMENTS)).items()}
    notes = {}
    for samples, row in read_packed(AUDIO, TABLE):
        split = SPLITS[row["dialect"]]
        if split == "train" or not row["sentence"].startswith("sa"):
            collector.add(row["id"], row["speaker"], split, samples)
            notes[row["id"]] = phones[row["id"]]
    collector.join(notes)
