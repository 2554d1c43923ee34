r"""Train to a given spike rate: a penalty whose weight is found while training.

With r the rate of the training graph in a batch, rho = (rate of the spiking network) / (rate of the training graph), as
measured on validation data after each epoch, and r* the target::

    loss <- loss + lam r
    lam  <- lam exp(eta (rho r / (0.97 r*) - 1))           grows while there are too many spikes, decays while there are few

The epoch that is kept is the one with the best validation accuracy among those within 2 % of the budget.
A rate is unit spikes for each unit and time step. Source: dual ascent on the constraint r <= r*, in log(lam).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from spikeseq.nn import observing
from spikeseq.nn.spiking import as_spiking
from spikeseq.ops.fuse import compiling
from spikeseq.train.losses import spike_rate
from spikeseq.train.ranks import ranks, total

GAIN = 0.05  # eta: a rate twice too high doubles the weight in 14 steps
AIM = 0.97  # share of the target that is steered to, so that rates on other data stay within the budget
FIRST, LEAST, MOST = 0.5, 1e-4, 30.0  # weight of the penalty
MEASURED = 4  # validation batches whose spikes are counted
SLACK = 1.02


class SpikeBudget:
    """The penalty's weight, and the rates that steer it."""

    def __init__(self, target: float) -> None:
        self.target, self.weight, self.ratio = target, FIRST, 1.0
        self._spiking: nn.Module | None = None
        self._rates: list[tuple[float, float, int]] = []  # of each batch: both rates times its elements, its elements

    def term(self, rate: Tensor, over_all: float | None = None) -> Tensor:
        """Return the loss term for a batch's rate (scalar), and move the weight by it, or by the rate over all processes."""
        term = self.weight * rate
        excess = self.ratio * (float(rate.detach()) if over_all is None else over_all) / (AIM * self.target) - 1
        self.weight = min(MOST, max(LEAST, self.weight * math.exp(GAIN * min(2.0, excess))))
        return term

    def start(self, model: nn.Module) -> None:
        """Before a validation epoch: unroll the model as it is now."""
        self._spiking, self._rates = as_spiking(model).eval(), []

    @torch.no_grad()
    def measure(self, model: nn.Module, run: Callable[[nn.Module], Tensor], elements: int = 1) -> None:
        """Count spikes of the training graph and of the spiking network on the epoch's first batches, each ``run`` once.

        elements  what the batch weighs in the mean over them
        """
        if len(self._rates) * ranks().processes >= MEASURED:
            return
        rates = []
        for network in (model, self._spiking):
            assert network is not None
            with compiling("never"), observing() as seen:
                run(network)
            rates.append(float(spike_rate(seen)))
        self._rates.append((elements * rates[0], elements * rates[1], elements))

    def finish(self) -> float:
        """After a validation epoch: the rate of the spiking network."""
        *sums, elements = total([sum(column) for column in zip(*self._rates, strict=True)])
        trained, real = (rate / elements for rate in sums)
        self.ratio = real / trained if trained else 1.0
        self._spiking = None
        return real

    def score(self, accuracy: float, rate: float) -> float:
        """What is maximised: accuracy within the budget, else something lower the further the rate is above it."""
        return accuracy if rate <= SLACK * self.target else -rate / self.target

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"weight": self.weight, "ratio": self.ratio}

    def load(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint."""
        self.weight, self.ratio = state["weight"], state["ratio"]
