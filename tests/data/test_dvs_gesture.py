"""DVS128 Gesture, on small files in the original format: users, trials, and what is wrong with them."""

import struct

import pytest
import torch

from spikeseq.data import dvs_gesture, sources
from spikeseq.errors import ConfigError, DataError

HEADER = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"
TITLE = "class,startTime_usec,endTime_usec\n"


def recording(trials):
    """One event a millisecond in column ``class`` during each trial, one in column 100 between them."""
    events, labels, time = [], [TITLE.strip()], 1000
    for label in trials:
        events.append((100, time - 500))
        labels.append(f"{label},{time},{time + 10_000}")
        events += [(label, time + 1000 * n) for n in range(10)]
        time += 20_000
    body = b"".join(struct.pack("<Ii", x << 17 | 64 << 2 | 1 << 1 | 1, t) for x, t in events)
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, len(events), len(events), len(events))
    return HEADER + head + body, "\n".join(labels) + "\n"


def write(folder, name, trials):
    content, labels = recording(trials)
    (folder / f"{name}.aedat").write_bytes(content)
    (folder / f"{name}_labels.csv").write_text(labels)


@pytest.fixture
def gesture(tmp_path, monkeypatch):
    """Users 1, 2 and 23 to train, 24 to test; user 3 is in no list."""
    folder = tmp_path / "dvs_gesture" / "DvsGesture"
    folder.mkdir(parents=True)
    write(folder, "user01_fluorescent", [1, 11])
    write(folder, "user02_lab", [4])
    write(folder, "user03_natural", [5])
    write(folder, "user23_led", [2, 3, 2])
    write(folder, "user24_fluorescent_led", [7])
    (folder / "trials_to_train.txt").write_text("user01_fluorescent.aedat\nuser02_lab.aedat\r\nuser23_led.aedat\n\n")
    (folder / "trials_to_test.txt").write_text("user24_fluorescent_led.aedat\n")
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "none")
    return folder


def test_trials_of_the_official_users(gesture):
    data = dvs_gesture.load(frames=2, size=128, valid_users=[23])
    assert data.train.y.tolist() == [0, 10, 3]
    assert data.valid.y.tolist() == [1, 2, 1]
    assert data.test.y.tolist() == [6]
    assert (len(data.classes), data.element_shape) == (11, (2, 128, 128))
    for split in (data.train, data.valid, data.test):
        for x, y in zip(split.x, split.y.tolist(), strict=True):
            frames = x.view(2, 2, 128, 128)
            assert frames[:, 1, 64, y + 1].tolist() == [5, 5]  # its own ten events, in two slices
            assert frames.sum() == 10  # and none from between the trials


def test_framing_and_where_the_folder_is(gesture):
    gesture.rename(gesture.parent.parent / "unpacked")
    (gesture.parent.parent / "unpacked").rename(gesture.parent.parent / "x")
    gesture.parent.rmdir()
    (gesture.parent.parent / "x").rename(gesture.parent)  # the files right in dvs_gesture/
    data = dvs_gesture.load(frames=4, window=2000, polarity=False, most=1, valid_users=(23,))
    assert data.element_shape == (1, 32, 32)
    assert torch.equal(data.test.x.sum(2), torch.ones(1, 4))  # two events a slice, cut at one


@pytest.mark.parametrize(
    ("users", "words"),
    [([], "is not valid; use some, not all"), ([24], "valid_users=24"), ([1, 1], "each once"), ("12", "is not a list"),
     (list(range(1, 24)), "use some, not all")],
)  # fmt: skip
def test_bad_users(gesture, users, words):
    with pytest.raises(ConfigError, match=words):
        dvs_gesture.load(valid_users=users)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("", r"begins with \[\]; expected class,startTime_usec,endTime_usec"),
        ("a,b,c\n1,2,3\n", "expected class,startTime_usec"),
        (TITLE + "1,2\n", r"line 2: \['1', '2'\] are not three whole numbers"),
        (TITLE + "1,2,3\nx,2,3\n", "line 3"),
        (TITLE + "12,2,3\n", "line 2: class 12 from 2 to 3"),
        (TITLE + "0,2,3\n", "class 0"),
        (TITLE + "1,3,3\n", "class 1 from 3 to 3"),
    ],
)
def test_damaged_labels(gesture, labels, words):
    (gesture / "user01_fluorescent_labels.csv").write_text(labels)
    with pytest.raises(DataError, match=words):
        dvs_gesture.load(valid_users=[23])


def test_damaged_files(gesture):
    (gesture / "user24_fluorescent_led.aedat").write_bytes(recording([7])[0][:-3])
    with pytest.raises(DataError, match=r"user24_fluorescent_led.aedat is cut off"):
        dvs_gesture.load(valid_users=[23])
    (gesture / "user01_fluorescent.aedat").unlink()
    with pytest.raises(DataError, match=r"user01_fluorescent.aedat cannot be read"):
        dvs_gesture.load(valid_users=[23])
    (gesture / "user23_led_labels.csv").write_bytes(b"\xff\xfe")
    (gesture / "trials_to_train.txt").write_text("user23_led.aedat\nuser02_lab.aedat\n")
    with pytest.raises(DataError, match=r"user23_led_labels.csv cannot be read"):
        dvs_gesture.load(valid_users=[23])
    (gesture / "trials_to_train.txt").write_text("user24_fluorescent_led.aedat\n")
    with pytest.raises(DataError, match=r"names 'user24_fluorescent_led.aedat'; expected recordings of users 1 to 23"):
        dvs_gesture.load(valid_users=[23])


def test_no_trial_in_a_split(gesture):
    with pytest.raises(DataError, match="0 recordings without a trial; leave some in every split"):
        dvs_gesture.load(valid_users=[5])


def test_nothing_there(empty_machine):
    with pytest.raises(DataError, match=r"trials_to_test.txt not found in .*DvsGesture.tar.gz from IBM"):
        dvs_gesture.load()
