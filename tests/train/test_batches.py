"""Batches: order from seed and epoch alone, every row once, and images that move a little."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.data import Split
from spikeseq.train.batches import eval_batches, image_shifter, shift_images, train_batches


def numbered(rows: int) -> Split:
    """Row n holds n, and its label is n."""
    n = torch.arange(rows)
    return Split(n.float().view(-1, 1, 1).expand(-1, 2, 3).contiguous(), n)


def order(loader, epoch: int = 0) -> list[int]:
    loader.sampler.set_epoch(epoch)
    rows = []
    for x, y in loader:
        assert (x == y.view(-1, 1, 1)).all()  # a row keeps its label
        rows += y.tolist()
    return rows


@given(st.integers(1, 40), st.integers(1, 12))
def test_training_takes_each_row_once_and_drops_the_ragged_end(rows, size):
    loader = train_batches(numbered(rows), size, seed=0)
    sizes = [len(y) for _, y in loader]
    taken = order(loader)
    assert len(sizes) == len(loader)
    assert len(set(taken)) == len(taken)
    if rows < size:
        assert sizes == [rows]  # better one small batch than none
    else:
        assert sizes == [size] * (rows // size)


@given(st.integers(1, 40), st.integers(1, 12))
def test_evaluation_keeps_every_row_in_order(rows, size):
    loader = eval_batches(numbered(rows), size)
    assert order(loader) == list(range(rows))
    assert len(list(loader)) == len(loader) == -(-rows // size)


def test_order_depends_on_seed_and_epoch_alone():
    def fresh(seed, epoch):
        return order(train_batches(numbered(50), 8, seed), epoch)

    first = fresh(1, 2)
    torch.manual_seed(99)  # nothing of the global generator
    loader = train_batches(numbered(50), 8, 1)
    order(loader, 0)  # nor of the epochs before
    assert order(loader, 2) == first
    assert first != sorted(first)
    orders = [tuple(fresh(seed, epoch)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9


def test_over_the_epochs_every_row_is_taken():
    loader = train_batches(numbered(10), 4, seed=0)
    assert set().union(*(order(loader, epoch) for epoch in range(8))) == set(range(10))


@pytest.mark.parametrize("most", [0, 1, 2])
def test_images_move_by_at_most_so_much(most):
    torch.manual_seed(0)
    images = torch.zeros(400, 7, 7)
    images[:, 3, 3] = 1.0
    places = shift_images(images, most).nonzero()
    assert len(places) == 400
    assert set(map(tuple, (places[:, 1:] - 3).tolist())) == {
        (dy, dx) for dy in range(-most, most + 1) for dx in range(-most, most + 1)
    }


def test_what_comes_in_is_the_corner_value():
    torch.manual_seed(0)
    images = torch.rand(200, 4, 5) + 1
    moved = shift_images(images, 2)
    found = set()
    for image, new in zip(images, moved, strict=True):
        fits = []
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                expected = torch.full_like(image, float(image[0, 0]))
                for r in range(4):
                    for c in range(5):
                        if 0 <= r + dy < 4 and 0 <= c + dx < 5:
                            expected[r, c] = image[r + dy, c + dx]
                if torch.equal(expected, new):
                    fits.append((dy, dx))
        assert len(fits) == 1
        found.update(fits)
    assert len(found) == 25


def test_augmentation_is_for_training_alone():
    torch.manual_seed(0)
    split = Split(torch.rand(6, 8, 8), torch.arange(6))
    (x, y), *_ = train_batches(split, 6, seed=0, augment=image_shifter(split, 2))
    assert not torch.equal(x, split.x[y])
    (x, y), *_ = eval_batches(split)
    assert torch.equal(x, split.x[y])
    (x, y), *_ = train_batches(split, 6, seed=0)
    assert torch.equal(x, split.x[y])
