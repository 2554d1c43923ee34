"""MNIST: the real files, the orders, and the split of the train images."""

from __future__ import annotations

import gzip
import shutil

import pytest
import torch

from spikeseq.data import load, sources
from spikeseq.data.mnist import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, as_sequences
from spikeseq.data.shuffle import permutation
from spikeseq.errors import DataError

IMAGES = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def mnist(load_real):
    return load_real("mnist", normalise=False)


def test_counts_and_first_labels(mnist) -> None:
    assert [len(split.y) for split in (mnist.train, mnist.valid, mnist.test)] == [55_000, 5_000, 10_000]
    assert (mnist.seq_len, mnist.input_size, mnist.num_classes) == (28, 28, 10)
    assert mnist.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    train = mnist.train.y.bincount() + mnist.valid.y.bincount()
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_pixel_statistics_are_the_customary_ones(mnist) -> None:
    pixels = torch.cat([mnist.train.x, mnist.valid.x]).double()
    assert (round(pixels.mean().item(), 4), round(pixels.std().item(), 4)) == (0.1307, 0.3081)
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_valid_is_the_end_of_the_shuffled_train_images(load_real) -> None:
    data = load_real("mnist", side=14, order="pixels")
    larger = load_real("mnist", side=14, order="pixels", valid_size=6000)
    assert torch.equal(larger.valid.x[1000:], data.valid.x)
    assert torch.equal(larger.valid.y[:1000], data.train.y[-1000:])
    # the images of MNIST are all different, so a shared one would be a shared row
    train = {x.numpy().tobytes() for x in data.train.x}
    assert not any(x.numpy().tobytes() in train for x in data.valid.x)


def test_pixels_are_the_rows_end_to_end() -> None:
    rows = as_sequences(IMAGES, "rows", 28, 0, True)
    pixels = as_sequences(IMAGES, "pixels", 28, 0, True)
    assert pixels.shape == (5, 784, 1)
    assert torch.equal(rows.reshape(5, 784, 1), pixels)
    torch.testing.assert_close(rows, (IMAGES / 255 - 0.1307) / 0.3081)


def test_permuted_is_one_permutation_of_the_pixels_for_every_image() -> None:
    pixels = as_sequences(IMAGES, "pixels", 28, 3, False)
    permuted = as_sequences(IMAGES, "permuted", 28, 3, False)
    order = permutation(784, 3)
    assert (order != range(784)).mean() > 0.9
    assert torch.equal(permuted, pixels[:, order.tolist()])
    assert not torch.equal(permuted, as_sequences(IMAGES, "permuted", 28, 4, False))


def test_permuted_is_the_same_in_train_and_test(load_real) -> None:
    pixels = load_real("mnist", side=14, order="pixels")
    permuted = load_real("mnist", side=14, order="permuted", permutation_seed=5)
    order = permutation(196, 5).tolist()
    for split in ("train", "valid", "test"):
        assert torch.equal(getattr(permuted, split).x, getattr(pixels, split).x[:, order])
        assert torch.equal(getattr(permuted, split).y, getattr(pixels, split).y)


def test_side_14_is_the_average_of_two_by_two() -> None:
    half = as_sequences(IMAGES, "rows", 14, 0, False)
    assert half.shape == (5, 14, 14)
    assert half[2, 3, 13].item() == pytest.approx(IMAGES[2, 6:8, 26:28].double().mean().item() / 255, abs=1e-6)
    assert torch.equal(as_sequences(IMAGES, "pixels", 14, 0, False), half.reshape(5, 196, 1))


def test_one_changed_pixel_is_found(real_folder, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for file in (TRAIN_IMAGES, TRAIN_LABELS, TEST_LABELS):
        shutil.copyfile(real_folder("mnist") / file.name, folder / file.name)
    content = bytearray(gzip.decompress((real_folder("mnist") / TEST_IMAGES.name).read_bytes()))
    content[100_000] ^= 1
    (folder / TEST_IMAGES.name).write_bytes(gzip.compress(content, 0))
    monkeypatch.setenv(sources.ENVIRONMENT_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"t10k-images.* is corrupt .*expected md5:2646ac647ad5339dbf082846283269ea"):
        load("mnist")
