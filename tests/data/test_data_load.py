"""load: names, options and their messages; what SequenceData refuses; permutations that stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikeseq.data import NAMES, SequenceData, Split, load, load_speech
from spikeseq.data.shuffle import permutation
from spikeseq.errors import ConfigError, DataError, ShapeError


def test_the_names() -> None:
    sequences = ("digits", "mnist", "uci_har", "speech_commands", "nmnist", "dvs_gesture")
    assert (*sequences, "imdb", "timit", "librispeech", "multi30k") == NAMES


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        ConfigError,
        match=r"'minst'; did you mean 'mnist'\? valid: digits, dvs_gesture, imdb, librispeech, mnist, multi30k, nmnist, ",
    ):
        load("minst")


def test_sequences_and_utterances_have_ways_in_of_their_own() -> None:
    with pytest.raises(ConfigError, match=r"'timit' holds utterances, .*task: frames or ctc"):
        load("timit")
    with pytest.raises(ConfigError, match=r"'digits' holds sequences of one class, .*task: classify"):
        load_speech("digits")
    with pytest.raises(ConfigError, match=r"'imdb' holds texts, .*task: text"):
        load("imdb")
    with pytest.raises(ConfigError, match=r"unknown data set 'timmit'; did you mean 'timit'\?"):
        load_speech("timmit")
    with pytest.raises(ConfigError, match="'timit' has no option 'phones'; did you mean 'phone_set'"):
        load_speech("timit", phones=39)


def test_unknown_option_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'digits' has no option 'ordr'; did you mean 'order'\? valid: order, seed"):
        load("digits", ordr="rows")


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("digits", "order", "permuted"),
        ("digits", "seed", -1),
        ("digits", "seed", True),
        ("digits", "seed", 1.0),
        ("mnist", "order", "columns"),
        ("mnist", "side", 7),
        ("mnist", "valid_size", 0),
        ("mnist", "valid_size", 60_000),
        ("mnist", "permutation_seed", "0"),
        ("mnist", "normalise", 1),
        ("uci_har", "variant", "zip"),
        ("uci_har", "standardise", None),
        ("uci_har", "valid_subjects", ()),
        ("uci_har", "valid_subjects", (1, 1)),
        ("uci_har", "valid_subjects", (1, 2)),  # 2 is a test subject
        ("uci_har", "valid_subjects", 7),
        ("uci_har", "valid_subjects", "7"),
        ("uci_har", "valid_subjects", (1, 3, 5, 6, 7, 8, 11, 14, 15, 16, 17, 19, 21, 22, 23, 25, 26, 27, 28, 29, 30)),
    ],
)
def test_bad_option_values_are_refused_before_any_file_is_sought(name: str, option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{option}="):
        load(name, **{option: value})


def make(x: torch.Tensor, y: torch.Tensor) -> SequenceData:
    good = Split(torch.zeros(2, 3, 4), torch.tensor([0, 1]))
    return SequenceData("toy", good, good, Split(x, y), ("a", "b"), "here", "none")


def test_properties() -> None:
    data = make(torch.zeros(1, 3, 4), torch.tensor([1]))
    assert (data.seq_len, data.input_size, data.num_classes) == (3, 4, 2)


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        (torch.zeros(2, 12), torch.tensor([0, 1]), ShapeError),
        (torch.zeros(2, 3, 5), torch.tensor([0, 1]), ShapeError),
        (torch.zeros(2, 3, 4, dtype=torch.float64), torch.tensor([0, 1]), ShapeError),
        (torch.zeros(2, 3, 4), torch.tensor([0, 1, 1]), ShapeError),
        (torch.zeros(2, 3, 4), torch.tensor([0, 1], dtype=torch.int32), ShapeError),
        (torch.zeros(0, 3, 4), torch.zeros(0, dtype=torch.int64), DataError),
        (torch.full((2, 3, 4), torch.nan), torch.tensor([0, 1]), DataError),
        (torch.full((2, 3, 4), torch.inf), torch.tensor([0, 1]), DataError),
        (torch.zeros(2, 3, 4), torch.tensor([0, 2]), DataError),
        (torch.zeros(2, 3, 4), torch.tensor([-1, 0]), DataError),
    ],
)
def test_what_is_no_data_set_is_refused(x: torch.Tensor, y: torch.Tensor, error: type[Exception]) -> None:
    with pytest.raises(error, match="'toy', test"):
        make(x, y)


def test_large_finite_values_are_finite() -> None:
    make(torch.full((2, 3, 4), torch.finfo(torch.float32).max), torch.tensor([0, 1]))


def test_permutation_is_one_and_stays_as_it_is() -> None:
    assert np.array_equal(np.sort(permutation(784, 0)), np.arange(784))
    # pinned: a change would silently change every published split and the permuted MNIST task
    assert permutation(10, 0).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]
    assert permutation(10, 1).tolist() == [9, 2, 4, 7, 5, 0, 8, 6, 3, 1]
