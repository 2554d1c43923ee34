"""DVS128 Gesture: eleven hand and arm gestures of 29 people before an event camera of 128 x 128 pixels.

Source: Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017, doi:10.1109/CVPR.2017.781.
Licence: CC BY 4.0. IBM hands out DvsGesture.tar.gz by hand: unpack it into <data folder>/dvs_gesture. Checksums: none is
published; the structure of every file is checked.
Split: official, by user: trials_to_train.txt (users 1 to 23) and trials_to_test.txt (24 to 29); valid is some of the users of
train. A recording is ``user01_fluorescent.aedat`` with ``user01_fluorescent_labels.csv`` (class, start, end in microseconds).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from spikeseq.data.events.aedat import parse_aedat
from spikeseq.data.events.frames import Framing, to_frames
from spikeseq.data.options import check_integer
from spikeseq.data.sequence import SequenceData, Split
from spikeseq.data.sources import ENVIRONMENT_VARIABLE, data_folders
from spikeseq.data.verify import REMEDY
from spikeseq.errors import ConfigError, DataError

SIDE = 128
CLASSES = (
    "hand_clapping", "right_hand_wave", "left_hand_wave", "right_arm_clockwise", "right_arm_counter_clockwise",
    "left_arm_clockwise", "left_arm_counter_clockwise", "arm_roll", "air_drums", "air_guitar", "other_gestures",
)  # fmt: skip
TRAIN_USERS, TEST_USERS = tuple(range(1, 24)), tuple(range(24, 30))
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
USER = re.compile(r"user([0-9]{2})_[a-z_]+\.aedat$")


def load(
    *,
    frames: int = 20,
    by: Literal["time", "count"] = "time",
    window: int | None = None,
    size: int = 32,
    polarity: bool = True,
    most: int | None = None,
    valid_users: Sequence[int] = (20, 21, 22, 23),
) -> SequenceData:
    """Load DVS128 Gesture as frames: L = frames, I = channels x size x size, flattened (``element_shape`` says how).

    frames, by, window, size, polarity, most   see Framing in events/frames.py; size: a power of two up to 128
    valid_users   train users held out as valid; at least one, not all

    Raises ConfigError for any other value, DataError when a file is missing or corrupt.
    """
    framing = Framing(frames, size, by, window, polarity, most)
    framing.check(SIDE)
    _check_users(valid_users)
    folder = find_folder()
    train = list(_recordings(folder, "train", TRAIN_USERS))
    held_out = [recording for recording in train if recording[0] in valid_users]
    kept = [recording for recording in train if recording[0] not in valid_users]
    return SequenceData(
        name="dvs_gesture",
        train=_split(kept, framing),
        valid=_split(held_out, framing),
        test=_split(list(_recordings(folder, "test", TEST_USERS)), framing),
        classes=CLASSES,
        source="DVS128 Gesture, doi:10.1109/CVPR.2017.781",
        licence="CC BY 4.0",
        element_shape=(framing.channels(), size, size),
    )


def find_folder() -> Path:
    """Return the folder with the lists of trials. Raises DataError where there is none."""
    places = [folder / "dvs_gesture" / below for folder in data_folders() for below in ("", "DvsGesture")]
    for place in places:
        if all((place / name).is_file() for name in LISTS.values()):
            return place
    raise DataError(
        f"data set 'dvs_gesture': {' and '.join(LISTS.values())} not found in {', '.join(map(str, places))}. Remedy: get "
        f"DvsGesture.tar.gz from IBM, set {ENVIRONMENT_VARIABLE} to a folder and unpack it into dvs_gesture/ there, or use "
        "data=nmnist"
    )


def _check_users(valid_users: Sequence[int]) -> None:
    remedy = f"use some, not all, of {list(TRAIN_USERS)}, each once"
    if isinstance(valid_users, str) or not isinstance(valid_users, Sequence):
        raise ConfigError(f"valid_users={valid_users!r} is not a list; {remedy}")
    for user in valid_users:
        check_integer("valid_users", user, TRAIN_USERS[0], TRAIN_USERS[-1])
    if not valid_users or len(set(valid_users)) != len(valid_users) or set(valid_users) == set(TRAIN_USERS):
        raise ConfigError(f"valid_users={valid_users!r} is not valid; {remedy}")


def _recordings(folder: Path, part: str, users: tuple[int, ...]) -> Iterator[tuple[int, Path]]:
    """User and path of each recording that the official list names. Raises DataError for one that is not of its users."""
    for line in _text(folder / LISTS[part]).splitlines():
        name = line.strip()
        if not name:
            continue
        found = USER.match(name)
        if found is None or int(found[1]) not in users:
            raise DataError(
                f"{folder / LISTS[part]} names {name!r}; expected recordings of users {users[0]} to {users[-1]}. {REMEDY}"
            )
        yield int(found[1]), folder / name


def _split(recordings: list[tuple[int, Path]], framing: Framing) -> Split:
    """Frames and classes of all trials of some recordings."""
    x, y = [], []
    for _, path in recordings:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}. {REMEDY}") from error
        events = parse_aedat(content, path.name)
        for number, (label, start, stop) in enumerate(read_labels(path.with_name(path.stem + "_labels.csv"))):
            found = to_frames(events.between(start, stop), framing, SIDE, f"{path.name}, trial {number}")
            x.append(found.reshape(framing.frames, -1))
            y.append(label)
    if not x:
        raise DataError(f"dvs_gesture: {len(recordings)} recordings without a trial; leave some in every split")
    return Split(torch.from_numpy(np.stack(x)), torch.tensor(y))


def read_labels(path: Path) -> list[tuple[int, int, int]]:
    """Return (class from 0, start, end in microseconds) of each trial. Raises DataError, naming the line that is wrong."""
    rows = list(csv.reader(io.StringIO(_text(path))))
    if not rows or [name.strip() for name in rows[0]] != ["class", "startTime_usec", "endTime_usec"]:
        raise DataError(f"{path} begins with {rows[:1]}; expected class,startTime_usec,endTime_usec. {REMEDY}")
    trials = []
    for line, row in enumerate(rows[1:], 2):
        try:
            label, start, stop = (int(value) for value in row)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {row} are not three whole numbers. {REMEDY}") from error
        if not 1 <= label <= len(CLASSES) or not 0 <= start < stop:
            raise DataError(f"{path}, line {line}: class {label} from {start} to {stop}; it is damaged. {REMEDY}")
        trials.append((label - 1, start, stop))
    return trials


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}. {REMEDY}") from error
