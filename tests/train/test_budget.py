"""Training to a spike budget: the rate is reached, the kept epoch is within it, and the weight's rule does what it says."""

import math

import pytest
import torch

from spikeseq.errors import ConfigError
from spikeseq.nn import QuantizedLSTM, SequenceClassifier, observing
from spikeseq.nn.spiking import as_spiking
from spikeseq.train.budget import AIM, FIRST, GAIN, LEAST, MOST, SLACK, SpikeBudget
from spikeseq.train.fit import fit
from spikeseq.train.losses import spike_rate

CHANGES = {
    "model.cell": "quantized_lstm", "model.hidden_size": 16, "train.epochs": 12, "train.learning_rate": 0.02,
    "data.batch_size": 32,
}  # fmt: skip


@pytest.mark.parametrize("time_steps", [1, 2])
@pytest.mark.parametrize("target", [0.1, 0.25])
def test_the_rate_is_reached(tiny, tmp_path, target, time_steps):
    free = fit(tiny({**CHANGES, "model.options": {"time_steps": time_steps}}), tmp_path / "free", progress=False)
    recipe = tiny({**CHANGES, "model.options": {"time_steps": time_steps}, "train.target_spike_rate": target})
    held = fit(recipe, tmp_path / "held", progress=False)
    assert free.record.metrics["spike_rate"] > 1.2 * target  # without the budget it would not be met
    assert held.record.metrics["spike_rate"] < 1.1 * target  # on the test split
    assert held.record.metrics["spike_rate"] > 0.6 * target  # spikes allowed are used
    kept = held.record.metrics["history"][held.record.metrics["best_epoch"]]
    assert kept["spike_rate"] <= SLACK * target
    assert kept["valid_accuracy"] == held.record.metrics["valid_accuracy"]
    within = [row for row in held.record.metrics["history"] if row["spike_rate"] <= SLACK * target]
    assert kept["valid_accuracy"] == max(row["valid_accuracy"] for row in within)


def test_the_weight_follows_the_rate():
    budget = SpikeBudget(0.2)
    assert float(budget.term(torch.tensor(0.4 * AIM))) == pytest.approx(FIRST * 0.4 * AIM)
    assert budget.weight == pytest.approx(FIRST * math.exp(GAIN))
    budget.term(torch.tensor(0.2 * AIM))
    assert budget.weight == pytest.approx(FIRST * math.exp(GAIN))  # on target it stays
    budget.term(torch.tensor(0.1 * AIM))
    assert budget.weight == pytest.approx(FIRST * math.exp(GAIN / 2))
    for _ in range(10_000):
        budget.term(torch.tensor(1.0))
    assert budget.weight == MOST
    for _ in range(10_000):
        budget.term(torch.tensor(0.0))
    assert budget.weight == pytest.approx(LEAST)


def test_the_spiking_network_is_what_is_held_to_the_budget():
    """Packets of the grid may cost more spikes than the training graph shows: their ratio is measured."""
    torch.manual_seed(0)
    model = SequenceClassifier(3, 8, 2, "quantized_lstm", options={"time_steps": 4})
    assert isinstance(model.rnn, QuantizedLSTM)
    x = torch.rand(5, 7, 3) * 6
    budget = SpikeBudget(0.2)
    budget.start(model)
    budget.measure(model, lambda network: network(x))
    real = budget.finish()
    rates = []
    for network in (as_spiking(model), model):
        with torch.no_grad(), observing() as seen:
            network(x)
        rates.append(float(spike_rate(seen)))
    assert real == pytest.approx(rates[0])
    assert budget.ratio == pytest.approx(rates[0] / rates[1])
    budget.weight = 1.0
    budget.term(torch.tensor(0.2 * AIM / budget.ratio))
    assert budget.weight == pytest.approx(1.0)


def test_scores():
    budget = SpikeBudget(0.2)
    assert budget.score(0.5, 0.2 * SLACK) == 0.5
    assert budget.score(1.0, 0.21) < budget.score(0.0, 0.2)
    assert budget.score(1.0, 0.3) < budget.score(0.1, 0.25) < 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train.target_spike_rate": -0.1}, "target_spike_rate=-0.1"),
        ({"train.target_spike_rate": 1.5}, "target_spike_rate=1.5"),
        ({"train.target_spike_rate": 0.2, "train.spike_penalty": 0.1}, "leave one out"),
        ({"train.target_spike_rate": 0.2, "model.cell": "hard_lstm"}, "has no spikes"),
    ],
)
def test_settings_that_cannot_work(tiny, stub_data, changes, words):
    stub_data()
    with pytest.raises(ConfigError, match=words):
        fit(tiny(changes), "run", progress=False)
