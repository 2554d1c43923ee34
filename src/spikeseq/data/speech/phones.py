"""The phones of TIMIT: 61 as transcribed, 48 as usually trained, 39 as usually scored; and the class of every frame.

Source of the folding: Lee & Hon, "Speaker-Independent Phone Recognition Using Hidden Markov Models", IEEE Trans. ASSP
37(11), 1989, in the usual form of it: closures, pauses and "epi" are scored as silence, "q" (glottal stop) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from spikeseq.data.speech.audio import BadUtterance
from spikeseq.data.speech.fbank import frame_centres
from spikeseq.data.utterances import NO_LABEL

# phone of the 61 -> of the 48; those not named stay what they are
_TO_48 = {
    "ax-h": "ax", "axr": "er", "bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "em": "m", "eng": "ng", "h#": "sil", "pau": "sil",
    "hv": "hh", "kcl": "cl", "pcl": "cl", "tcl": "cl", "nx": "n", "ux": "uw",
}  # fmt: skip
# phone of the 48 -> of the 39
_TO_39 = {
    "ao": "aa", "ax": "ah", "cl": "sil", "el": "l", "en": "n", "epi": "sil", "ix": "ih", "vcl": "sil", "zh": "sh",
}  # fmt: skip
DROPPED = "q"
PHONES61 = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ax-h", "axr", "ay", "b", "bcl", "ch", "d", "dcl", "dh", "dx", "eh", "el", "em",
    "en", "eng", "epi", "er", "ey", "f", "g", "gcl", "h#", "hh", "hv", "ih", "ix", "iy", "jh", "k", "kcl", "l", "m", "n",
    "ng", "nx", "ow", "oy", "p", "pau", "pcl", "q", "r", "s", "sh", "t", "tcl", "th", "uh", "uw", "ux", "v", "w", "y",
    "z", "zh",
)  # fmt: skip


def fold(phone: str, phones: int) -> str | None:
    """Return what a phone of the 61 is among 61, 48 or 39; None for "q" among the 48 and 39."""
    if phones == 61:
        return phone
    if phone == DROPPED:
        return None
    of_48 = _TO_48.get(phone, phone)
    return of_48 if phones == 48 else _TO_39.get(of_48, of_48)


def classes(phones: int) -> tuple[str, ...]:
    """Names of the 61, 48 or 39 phones, in alphabetical order."""
    return tuple(sorted({name for phone in PHONES61 if (name := fold(phone, phones)) is not None}))


def scored(phones: int) -> tuple[str | None, ...]:
    """What each of ``classes(phones)`` is scored as among the 39; None for "q"."""
    folded = {fold(phone, phones): fold(phone, 39) for phone in PHONES61}
    return tuple(folded[name] for name in classes(phones))


def label_frames(segments: Iterable[Sequence], frames: int, phones: int, name: str) -> np.ndarray:
    """Return the class of each frame, int64 [frames]: the phone at its middle; NO_LABEL where there is none.

    segments   (first sample, sample behind the last, phone of the 61)
    """
    place = {phone: k for k, phone in enumerate(classes(phones))}
    labels = np.full(frames, NO_LABEL, np.int64)
    centres = frame_centres(frames)
    for start, stop, phone in segments:
        folded = fold(_known(phone, name), phones)
        if folded is not None:
            labels[(centres >= start) & (centres < stop)] = place[folded]
    return labels


def label_sequence(segments: Iterable[Sequence], phones: int, name: str) -> np.ndarray:
    """Return the phones in their order, int64 [S]; class 0 is the blank, so that phone k of ``classes`` is k + 1."""
    place = {phone: k + 1 for k, phone in enumerate(classes(phones))}
    folded = [fold(_known(phone, name), phones) for _, _, phone in segments]
    return np.array([place[phone] for phone in folded if phone is not None], np.int64)


def _known(phone: str, name: str) -> str:
    if phone not in PHONES61:
        raise BadUtterance("label", f"{name} has the phone {phone!r}, which is none of the 61 of TIMIT.")
    return phone
