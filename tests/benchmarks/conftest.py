"""A model file for the benchmarks of the runtime."""

import pytest
import torch

from spikeseq.nn.checkpoint import ModelSettings, save_model


@pytest.fixture
def model_file(tmp_path):
    """An untrained model of the digits, with signals large enough to spike."""
    torch.manual_seed(0)
    settings = ModelSettings("quantized_lstm", 16, options={"time_steps": 2})
    model = settings.build(8, 10)
    with torch.no_grad():
        model.rnn.weight_ih_l0.mul_(6)
    recipe = {"name": "digits/untrained", "seed": 3, "data": {"name": "digits", "options": {}}}
    return save_model(tmp_path / "model.pt", model, settings, (8, 10), {"recipe": recipe})
