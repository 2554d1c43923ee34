"""N-MNIST: the prepared subset, and archives in the original format."""

import zipfile

import pytest
import torch

from spikeseq.data import nmnist, sources
from spikeseq.data.shuffle import permutation
from spikeseq.errors import ConfigError, DataError


def recording(digit, count):
    """An N-MNIST file in which column ``digit`` brightens ``count`` times, a millisecond apart."""
    return b"".join(
        bytes([digit, n % 34, 0x80 | (n * 1000 >> 16), n * 1000 >> 8 & 255, n * 1000 & 255]) for n in range(count)
    )


def archive(folder, part, members, method=zipfile.ZIP_STORED):
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{part}.zip", "w", method) as made:
        made.writestr(f"{part}/readme.txt", "no recording")
        for name, content in members.items():
            made.writestr(f"{part}/{name}", content)


@pytest.fixture
def original(tmp_path, monkeypatch):
    """Train.zip with ten recordings, Test.zip with two."""
    folder = tmp_path / "nmnist"
    archive(folder, "Train", {f"{d}/0000{d}.bin": recording(d, 10 + d) for d in range(10)})
    archive(folder, "Test", {"3/00001.bin": recording(3, 4), "7/00002.bin": recording(7, 5)})
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "none")
    return folder


def test_original(original):
    data = nmnist.load(frames=2, valid_size=3, seed=1)
    assert data.source == nmnist.SOURCES["original"]
    assert (data.train.x.shape, data.element_shape) == ((7, 2, 2 * 34 * 34), (2, 34, 34))
    order = permutation(10, 1).tolist()
    assert data.train.y.tolist() == order[:7]  # recordings are read by name: recording i is digit i
    assert data.valid.y.tolist() == order[7:]
    for split in (data.train, data.valid, data.test):
        for x, y in zip(split.x, split.y.tolist(), strict=True):
            frame = x.view(2, 2, 34, 34)
            assert frame[:, 0].sum() == 0  # brighter only
            assert frame[:, 1, :, y].sum() == frame.sum() > 0
    assert data.test.y.tolist() == [3, 7]
    assert data.test.x.sum((1, 2)).tolist() == [4, 5]


def test_options_reach_the_frames(original):
    one = nmnist.load(frames=3, size=17, polarity=False, most=1, valid_size=3, window=2000)
    assert (one.input_size, one.element_shape, one.train.x.max()) == (289, (1, 17, 17), 1)
    two = nmnist.load(frames=3, by="count", valid_size=3)
    assert torch.equal(two.test.x.sum(2), torch.tensor([[2.0, 1, 1], [2, 2, 1]]))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "Train.zip").write_bytes(b"no zip"), "Train.zip is no zip archive, or is damaged"),
        (lambda folder: archive(folder, "Train", {"3/1.bin": b"1234"}), "Train/3/1.bin has 4 bytes, no multiple of 5"),
        (lambda folder: archive(folder, "Train", {"3/1.bin": bytes([99, 0, 0, 0, 0])}), "an event at 99, the sensor has 34"),
        (lambda folder: archive(folder, "Train", {}), "train: no recordings in the files"),
        (lambda folder: (folder / "Test.zip").unlink(), "Test.zip not found"),
        (lambda folder: archive(folder, "Train", {"3/1.bin": bytes(10)}, zipfile.ZIP_LZMA), "compressed by method 14"),
    ],
)  # fmt: skip
def test_damaged_archives(original, damage, words):
    damage(original)
    with pytest.raises(DataError, match=words):
        nmnist.load(valid_size=3)


def test_a_damaged_member_is_found_by_its_checksum(original):
    content = bytearray((original / "Test.zip").read_bytes())
    place = content.find(recording(3, 4))
    content[place] ^= 1
    (original / "Test.zip").write_bytes(bytes(content))
    with pytest.raises(DataError, match="Bad CRC-32"):
        nmnist.load(valid_size=3)


def test_bad_options(original):
    with pytest.raises(ConfigError, match="valid_size=10 leaves none of the 10 train recordings"):
        nmnist.load(valid_size=10)
    with pytest.raises(ConfigError, match=r"size=20 is not valid; use one of \[1, 2, 17, 34\]"):
        nmnist.load(size=20)
    with pytest.raises(ConfigError, match="variant='small' is not valid"):
        nmnist.load(variant="small")


def test_the_prepared_subset(real_folder, monkeypatch):
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(real_folder("nmnist_small").parent))
    data = nmnist.load(frames=1, variant="prepared")
    assert [len(s.y) for s in (data.train, data.valid, data.test)] == [800, 200, 100]
    # the totals that the data folder's README gives
    assert data.train.x.sum() + data.valid.x.sum() == 4_133_231
    assert data.test.x.sum() == 385_596
    assert data.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]  # the labels of MNIST
    # a digit is where its events are: the mean picture of ones is narrower than that of zeros
    pictures = data.train.x.view(-1, 2, 34, 34).sum(1)
    columns = [int((pictures[data.train.y == d].mean(0).sum(0) > 100).sum()) for d in (0, 1)]
    assert columns[1] < columns[0]
