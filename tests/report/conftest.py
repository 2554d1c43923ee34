"""Records of fixed surroundings for the tests of this folder."""

import pytest

from spikeseq.report.record import Record


def make_record(name="mnist_rows/spiking_t2", kind="train", seed=0, config=None, **metrics) -> Record:
    data, _, model = name.partition("/")
    config = config or {"data": {"name": data}, "model": {"cell": model, "time_steps": 2}, "seed": seed}
    versions = {"python": "3.11", "torch": "2.13"}
    git = {"commit": "0123456789abcdef", "dirty": False}
    started = "2025-01-31T12:00:00+00:00"
    return Record(kind, name, config, seed, metrics, versions, git, started, 1.0, f"spikeseq train {name}")


@pytest.fixture(scope="session")
def make():
    """Return the maker: make(name, kind, seed, config, **metrics)."""
    return make_record


@pytest.fixture(scope="session")
def three() -> list[Record]:
    """Return one run over three seeds: accuracies 0.9, 0.8, 1.0."""
    return [make_record(seed=seed, test_accuracy=value) for seed, value in enumerate([0.9, 0.8, 1.0])]
