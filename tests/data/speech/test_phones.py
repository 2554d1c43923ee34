"""Folding of the phones against the table of Kaldi's TIMIT recipe; the class of each frame."""

from __future__ import annotations

import numpy as np
import pytest

from spikeseq.data.speech.audio import BadUtterance
from spikeseq.data.speech.phones import PHONES61, classes, fold, label_frames, label_sequence, scored
from spikeseq.data.utterances import NO_LABEL

# 61 48 39, as in Kaldi's egs/timit/s5/conf/phones.60-48-39.map; q has no others
KALDI = """aa aa aa, ae ae ae, ah ah ah, ao ao aa, aw aw aw, ax ax ah, ax-h ax ah, axr er er, ay ay ay, b b b, bcl vcl sil,
ch ch ch, d d d, dcl vcl sil, dh dh dh, dx dx dx, eh eh eh, el el l, em m m, en en n, eng ng ng, epi epi sil, er er er,
ey ey ey, f f f, g g g, gcl vcl sil, h# sil sil, hh hh hh, hv hh hh, ih ih ih, ix ix ih, iy iy iy, jh jh jh, k k k,
kcl cl sil, l l l, m m m, n n n, ng ng ng, nx n n, ow ow ow, oy oy oy, p p p, pau sil sil, pcl cl sil, r r r, s s s,
sh sh sh, t t t, tcl cl sil, th th th, uh uh uh, uw uw uw, ux uw uw, v v v, w w w, y y y, z z z, zh zh sh"""
TABLE = [row.split() for row in KALDI.replace("\n", " ").split(",")]


def test_the_table() -> None:
    assert sorted(row[0] for row in TABLE) == sorted(set(PHONES61) - {"q"})
    assert len(PHONES61) == 61
    for phone, of_48, of_39 in TABLE:
        assert (fold(phone, 61), fold(phone, 48), fold(phone, 39)) == (phone, of_48, of_39)
    assert (fold("q", 61), fold("q", 48), fold("q", 39)) == ("q", None, None)


@pytest.mark.parametrize("phones", [61, 48, 39])
def test_classes_and_what_they_are_scored_as(phones: int) -> None:
    names = classes(phones)
    assert len(names) == phones
    column = {61: 0, 48: 1, 39: 2}[phones]
    expected = {row[column]: row[2] for row in TABLE} | ({"q": None} if phones == 61 else {})
    assert dict(zip(names, scored(phones), strict=True)) == expected


def test_the_phone_at_the_middle_of_each_frame() -> None:
    """Middles at 200, 360, 520, .. samples."""
    segments = [(0, 360, "h#"), (360, 520, "q"), (520, 521, "ix"), (521, 900, "tcl")]
    names = classes(48)
    labels = label_frames(segments, 6, 48, "a")  # 200 360 520 680 840 1000
    assert labels.tolist() == [
        names.index("sil"), NO_LABEL, names.index("ix"), names.index("cl"), names.index("cl"), NO_LABEL,
    ]  # fmt: skip
    assert label_frames(segments, 6, 61, "a")[1] == classes(61).index("q")


def test_sequences_leave_room_for_the_blank_and_drop_q() -> None:
    segments = [(0, 1, "h#"), (1, 2, "q"), (2, 3, "zh"), (3, 4, "pcl"), (4, 5, "pau")]
    names = ("<blank>", *classes(39))
    assert [names[k] for k in label_sequence(segments, 39, "a")] == ["sil", "sh", "sil", "sil"]
    assert label_sequence(segments, 39, "a").dtype == np.int64


@pytest.mark.parametrize("make", [lambda s: label_frames(s, 9, 48, "dr1/x"), lambda s: label_sequence(s, 48, "dr1/x")])
def test_an_unknown_phone_is_a_bad_utterance(make) -> None:
    with pytest.raises(BadUtterance, match=r"^dr1/x has the phone 'xx', which is none of the 61") as caught:
        make([(0, 500, "aa"), (500, 900, "xx")])
    assert caught.value.reason == "label"
