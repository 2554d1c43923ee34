"""TIMIT: read sentences of 630 speakers with their phones, as Kaldi filterbank features normalised by speaker.

Source: Garofolo et al., "TIMIT Acoustic-Phonetic Continuous Speech Corpus", LDC93S1, doi:10.35111/17gk-bn40; it is sold, and
there is no address to download it from. Licence: LDC; the open sample of it CC BY-NC-SA (as its README says).
Checksums: of the sample, see timit_sample.py; none is published of the corpus.
Split: see timit_ldc.py and timit_sample.py.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from spikeseq.data import timit_ldc, timit_sample
from spikeseq.data.options import check_choice
from spikeseq.data.sources import ENVIRONMENT_VARIABLE
from spikeseq.data.speech import collect, phones
from spikeseq.data.speech.audio import Skipping
from spikeseq.data.speech.corpus import state_of
from spikeseq.data.utterances import BLANK, SpeechData
from spikeseq.errors import DataError

SOURCES = {
    "ldc": "TIMIT, LDC93S1, doi:10.35111/17gk-bn40",
    "sample": "TIMIT, the open sample of NLTK (160 utterances), from LDC93S1, doi:10.35111/17gk-bn40",
}
LICENCES = {"ldc": "LDC User Agreement", "sample": "CC BY-NC-SA"}


def load(
    *,
    variant: str = "ldc",
    targets: Literal["frames", "sequence"] = "frames",
    phone_set: int = 48,
    on_bad: str = "error",
) -> SpeechData:
    """Load TIMIT: 40 bands, a frame every 10 ms.

    variant     "ldc": the corpus; "sample": the open sample
    targets     "frames": the phone at the middle of each frame; "sequence": the phones in their order (CTC)
    phone_set   61, 48 or 39 phones to train on; 39 are scored. "q" has no class among the 48 and 39: frames of it are
                counted nowhere
    on_bad      "error": the first bad utterance is an error; "skip": bad ones are left out and counted

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    check_choice("variant", variant, ("ldc", "sample"))
    check_choice("targets", targets, ("frames", "sequence"))
    check_choice("phone_set", phone_set, (61, 48, 39))
    skipping = Skipping(on_bad)
    x, entries = _from_ldc(skipping) if variant == "ldc" else collect.in_memory(timit_sample.collect, skipping)

    def label(entry: collect.Entry) -> collect.Labels:
        sequence = phones.label_sequence(entry.note, phone_set, entry.id)
        if targets == "sequence":
            return collect.Labels(collect.check_fits(sequence, entry.frames, entry.id))
        return collect.Labels(phones.label_frames(entry.note, entry.frames, phone_set, entry.id), sequence - 1)

    splits = collect.to_splits(x, entries, label, skipping)
    blank: tuple[tuple[str, ...], tuple[None, ...]] = ((BLANK,), (None,)) if targets == "sequence" else ((), ())
    return SpeechData(
        name="timit",
        **splits,
        targets=targets,
        unit="phone",
        classes=blank[0] + phones.classes(phone_set),
        scored=blank[1] + phones.scored(phone_set),
        source=SOURCES[variant],
        licence=LICENCES[variant],
        skipped=skipping.counts,
    )


def _from_ldc(skipping: Skipping) -> tuple[np.ndarray, list[collect.Entry]]:
    path = timit_ldc.find_ldc()
    if path is None:
        raise DataError(
            "data set 'timit': no folder with TRAIN and TEST, and no timit_LDC93S1.tgz found. Remedy: buy LDC93S1 and set "
            f"{ENVIRONMENT_VARIABLE} to a folder that holds timit/, or use variant: sample"
        )
    return collect.in_cache("timit", state_of(path), lambda collector: timit_ldc.collect(path, collector), skipping)
