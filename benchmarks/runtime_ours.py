"""The event-driven runtime as a contender: a layer with a set share of spikes, or a trained model on its test data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

import spikeseq.data
import spikeseq.nn as snn
from runtime_timing import Contender
from spikeseq import runtime
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model

WEIGHTS = {"float32": 4, "int8": 1}  # bytes of a weight
T = 2
# candidate g = c = y of a unit -> what it sends at t = 1, 2; each far from where that changes
SENDS = {(0, 0): 0.0, (0, 1): 0.375, (1, 0): 0.625, (1, 1): 1.5}
OPEN, SHUT = 40.0, -40.0  # of a gate, whatever arrives


class Ours(NamedTuple):
    """A contender and what it runs."""

    contender: Contender
    program: runtime.Program
    weights: str
    length: int | None  # elements of a sequence, then the stream is reset; None: one sequence

    def work(self) -> dict[str, float]:
        """Spikes per unit and time step that were added, and bytes of weight rows of one element, by kind.

        From another run over the same elements. A row that spikes of both time steps select must be read once: its bytes
        count once, its spikes twice.
        """
        stream, used, spikes = self.program.stream(), 0, 0
        elements, x = self.contender.done, self.contender.inputs
        for n in range(elements):
            if self.length and n % self.length == 0:
                stream.reset()
            h = stream.state()["h"][0, 0]  # [T, H]
            used, spikes = used + int(h.any(0).sum()), spikes + int(np.abs(h, dtype=int).sum())
            stream.step(x[n % len(x)])
        row = 4 * h.shape[1] * WEIGHTS[self.weights]
        return {
            "density": spikes / elements / h.size,
            "spike_bytes": used / elements * row,
            "input_bytes": float(self.program.input_size * row),
        }


def contender(program: runtime.Program, weights: str, x: np.ndarray, length: int | None) -> Ours:
    """``x [N, I]``: sequences of ``length`` elements, one after the other."""
    stream = program.stream()

    def before(n: int) -> None:
        if length and n % length == 0:
            stream.reset()

    return Ours(Contender(stream.step, list(x), before), program, weights, length)


def with_density(weights: str, inputs: int, hidden: int, density: float) -> Ours:
    """A stream that nobody touches, in which that share of the units sends +1 or -1 at each time step.

    I dense inputs at right angles to each other select I patterns of spikes: W of the candidate is the patterns times the
    inputs' inverse, i and o are open, f is shut, U is too small to matter (it is added all the same).
    """
    generator = np.random.default_rng(0)
    x = np.linalg.qr(generator.normal(size=(inputs, inputs)))[0] * np.sqrt(inputs)
    sent = np.zeros((inputs, T, hidden), int)
    for step in sent.reshape(-1, hidden):
        step[generator.permutation(hidden)[: round(density * hidden)]] = 1
    target = np.vectorize(lambda one, two: SENDS[one, two])(*sent.swapaxes(0, 1)) * generator.choice(
        [-1, 1], (inputs, hidden)
    )
    model = snn.SpikingLSTM(inputs, hidden, time_steps=T)
    with torch.no_grad():
        model.weight_hh_l0.uniform_(-1e-3, 1e-3)
        model.weight_ih_l0.zero_()
        model.weight_ih_l0[2 * hidden : 3 * hidden] = torch.from_numpy(target.T @ x / inputs)
        model.bias_ih_l0.zero_()
        gates = torch.tensor([OPEN, SHUT, 0.0, OPEN])  # i, f, g, o
        model.bias_hh_l0.copy_(gates.repeat_interleave(hidden))
    return contender(runtime.compile(model, weights), weights, x.astype(np.float32), None)


class Trained(NamedTuple):
    """A trained model's recurrent layer, and its test data."""

    name: str  # of the recipe, and the seed
    programs: dict[str, runtime.Program]
    x: np.ndarray  # [N, L, I]


def load_trained(path: str) -> Trained:
    """Read a model file and its data. Raises SpikeseqError; ConfigError for a model that is no single spiking layer."""
    model, _, notes = load_model(path)
    if model.rnn.num_layers != 1:
        raise ConfigError(f"{path}: {model.rnn.num_layers} layers, the others have one")
    if model.rnn.kind.encoding.code != "direct":
        raise ConfigError(f"{path}: it encodes its input, the others take every value")
    made = {weights: runtime.compile(model.rnn, weights) for weights in WEIGHTS}
    recipe = notes["recipe"]
    data = spikeseq.data.load(recipe["data"]["name"], **recipe["data"]["options"])
    return Trained(f"{recipe['name']} seed {recipe['seed']}", made, data.test.x.numpy())


def on_test_data(weights: str, trained: Trained, sequences: int) -> Ours:
    """The trained model on sequences drawn from the test data, one after the other."""
    x = trained.x[np.random.default_rng(0).permutation(len(trained.x))[:sequences]]
    return contender(trained.programs[weights], weights, x.reshape(-1, x.shape[-1]), x.shape[1])
