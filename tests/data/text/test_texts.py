"""Rows of tokens and word vectors: batches, and what is refused."""

import numpy as np
import pytest
import torch

from spikeseq.data.text.glove import read_glove
from spikeseq.data.text.texts import TextData, to_texts
from spikeseq.data.text.tokenizer import PAD, train_tokenizer
from spikeseq.errors import DataError

ROWS = [np.array([2, 3, 4]), np.array([5]), np.array([3, 2])]


def test_batches_are_padded_to_their_longest_row():
    texts = to_texts([row.astype(np.int32) for row in ROWS], [1, 0, 1])
    assert len(texts) == 3
    assert texts.length.tolist() == [3, 1, 2]
    batch = texts.batch([2, 1])
    assert batch.x.tolist() == [[3, 2], [5, PAD]]
    assert (batch.lengths.tolist(), batch.y.tolist()) == ([2, 1], [1, 0])
    assert batch.x.dtype == batch.y.dtype == torch.int64
    assert torch.equal(texts.batch(torch.tensor([0])).x, torch.tensor([[2, 3, 4]]))


def data(rows, labels, classes=("a", "b")):
    good = to_texts(ROWS, [1, 0, 1])
    tokenizer = train_tokenizer(["b c d e"], 10)
    return TextData("own", to_texts(rows, labels), good, good, classes, tokenizer, "here", "none")


def test_a_data_set():
    made = data(ROWS, [0, 1, 1])
    assert (made.input_size, made.num_classes) == (6, 2)


@pytest.mark.parametrize(
    ("rows", "labels", "words"),
    [
        ([], [], "train is empty"),
        ([np.array([2]), np.array([], np.int32)], [0, 1], r"rows of \[1, 0\].. tokens do not fit"),
        (ROWS, [0, 1], "2 labels and rows"),
        ([np.array([2, 6])], [0], "tokens run from 2 to 6; expected 0 to 5"),
        ([np.array([-1, 2])], [0], "tokens run from -1"),
        (ROWS, [0, 1, 2], "labels run from 0 to 2; expected 0 to 1"),
    ],
)
def test_what_is_no_data_set(rows, labels, words):
    with pytest.raises(DataError, match=words):
        data(rows, labels)


def test_word_vectors(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2 3\ngood -0.5 0 1e-1\nwell-known 9 9 9\n")
    vectors, share = read_glove(path, ["[pad]", "[unk]", "good", "film", "the"], 3)
    assert vectors.tolist() == [[0, 0, 0], [0, 0, 0], [-0.5, 0, pytest.approx(0.1)], [0, 0, 0], [1, 2, 3]]
    assert share == 2 / 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"the 1 2\n", "line 1: 2 numbers, the embedding has 3"),
        (b"a 1 2 3\nthe 1 2 x\n", "line 2: could not convert string to float"),
        (b"a 1 2 3\nthe 1 2 nan\n", "line 2: 3 numbers"),
        (b"a 1 2 3\n\xff\xfe 1 2 3\n", "cannot be read behind line"),
        (b"a 1 2 3\n", "have none of the 1 words of the vocabulary"),
        (b"", "have none of the 1 words"),
    ],
)
def test_what_are_no_word_vectors(tmp_path, content, words):
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_glove(path, ["the"], 3)


def test_missing_word_vectors():
    with pytest.raises(DataError, match=r"vectors 'none.txt' cannot be read .* get glove.6B.zip"):
        read_glove("none.txt", ["the"], 3)
