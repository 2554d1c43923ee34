"""A model file with a flipped bit is refused, or the bit was not part of what is read."""

import random

import pytest
import torch

from spikeseq.errors import CheckpointError
from spikeseq.nn.checkpoint import load_model, save_model
from spikeseq.nn.settings import ModelSettings


def test_flipped_bits(tmp_path):
    settings, chance = ModelSettings("quantized_lstm", 8), random.Random(1)
    path = save_model(tmp_path / "model.pt", settings.build(8, 10), settings, (8, 10), {})
    original, wanted, refused = path.read_bytes(), load_model(path)[0].state_dict(), 0
    for _ in range(60):
        data = bytearray(original)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        try:
            found = load_model(path)[0].state_dict()
        except CheckpointError:
            refused += 1
        else:
            assert all(torch.equal(found[name], value) for name, value in wanted.items())
    assert refused > 30


def test_a_weight_that_was_changed_is_named(tmp_path):
    settings = ModelSettings("quantized_lstm", 8)
    path = save_model(tmp_path / "model.pt", settings.build(8, 10), settings, (8, 10), {})
    data = path.read_bytes()
    weights = load_model(path)[0].rnn.weight_hh_l0.detach().numpy().tobytes()
    at = data.index(weights)
    path.write_bytes(data[: at + 3] + bytes([data[at + 3] ^ 1]) + data[at + 4 :])
    with pytest.raises(CheckpointError, match=r"cannot be read \(checksum of .* is wrong"):
        load_model(path)


def test_a_part_that_says_it_is_a_folder_is_refused(tmp_path):
    """torch.load gives its tensor whatever lies in memory."""
    settings = ModelSettings("quantized_lstm", 8)
    path = save_model(tmp_path / "model.pt", settings.build(8, 10), settings, (8, 10), {})
    data = bytearray(path.read_bytes())
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]
    assert len(entries) > 8
    for at in entries:
        data[at + 38] ^= 0x10
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"cannot be read \(.* is said to be a folder"):
            load_model(path)
        data[at + 38] ^= 0x10
