"""Models and inputs whose every sum is exact in float32, and what a stream gives for them."""

import numpy as np
import torch

SIZES = (3, 9)  # I, H


def dyadic(model, seed=0, bound=24):
    """Weights are multiples of 1/4 up to ``bound`` / 4."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "weight" in name or "bias" in name:
                p.copy_(torch.randint(-bound, bound + 1, p.shape, generator=generator) / 4)
            if "input_step" in name:
                p.copy_(0.25 * 2.0 ** torch.randint(-1, 2, p.shape, generator=generator))
    return model.eval()


def dyadic_input(elements, batch=1, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, (elements, batch, SIZES[0]), generator=generator) / 4


def steps(stream, x):
    return np.stack([stream.step(element) for element in x])


def assert_same_counts(stream, counted):
    """As ``energy.count``, layer by layer and operation by operation."""
    found = stream.counters()
    assert list(found) == [layer.name for layer in counted.per_layer]
    for layer in counted.per_layer:
        assert found[layer.name] == {field: getattr(layer, field) for field in found[layer.name]}
