"""Networks in the words of other frameworks, for benchmarks/exchange.py; each is imported when it is asked for."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikeseq.exchange import JellyNeuron


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what frameworks print and log out of the table."""
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        yield
    logging.disable(logging.NOTSET)


def stepwise(module: Any, x: Tensor) -> Tensor:
    """Run a nirtorch module element by element: ``[L, B, I]`` -> spikes of its last layer."""
    state, outputs = None, []
    for element in x:
        output, state = module(element) if state is None else module(element, state)
        outputs.append(output[0] if isinstance(output, tuple) else output)
    return torch.stack(outputs).float()


def _snntorch(graph: Any, x: Tensor) -> Tensor:
    from snntorch.import_nir import import_from_nir

    return stepwise(import_from_nir(graph), x)


def _jelly(graph: Any, x: Tensor) -> Tensor:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return stepwise(import_from_nir(graph), x)


def _norse(graph: Any, x: Tensor) -> Tensor:
    import norse.torch as norse

    return stepwise(norse.from_nir(graph, dt=1e-4), x)


NIR_PEERS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "snnTorch": _snntorch, "SpikingJelly": _jelly, "Norse": _norse,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Two layers of one kind of neuron of a framework: Linear "0", neurons "1", Linear "2", neurons "3"."""

    framework: str
    neuron: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reset_delay(self) -> bool:
        """Of snnTorch."""
        return bool(self.options.get("reset_delay", True))

    @property
    def layers(self) -> tuple[Any, ...]:
        """What spikeseq.exchange is told of them."""
        if self.framework == "snnTorch":
            return ("0", "1", "2", "3")
        own = {key: value for key, value in self.options.items() if key != "init_tau"}
        told = JellyNeuron(**{"tau": None if self.neuron == "IFNode" else self.options.get("init_tau", 2.0), **own})
        return ("0", ("1", told), "2", ("3", told))


STATE_CASES = {
    "Leaky, zero": Case("snnTorch", "Leaky", {"beta": 0.9, "reset_mechanism": "zero"}),
    "Leaky, zero, at once": Case("snnTorch", "Leaky", {"beta": 0.9, "reset_mechanism": "zero", "reset_delay": False}),
    "Leaky, beta 1, subtract": Case("snnTorch", "Leaky", {"beta": 1.0, "threshold": 4.0}),
    "Synaptic, zero, at once": Case(
        "snnTorch", "Synaptic", {"alpha": 0.6, "beta": 0.8, "reset_mechanism": "zero", "reset_delay": False}
    ),
    "LIFNode": Case("SpikingJelly", "LIFNode", {"tau": 2.0, "v_threshold": 0.5}),
    "LIFNode, input whole, subtract": Case(
        "SpikingJelly", "LIFNode", {"tau": 3.0, "decay_input": False, "v_reset": None}
    ),
    "LIFNode, v_reset -0.25": Case("SpikingJelly", "LIFNode", {"tau": 2.0, "v_threshold": 0.125, "v_reset": -0.25}),
    "ParametricLIFNode": Case("SpikingJelly", "ParametricLIFNode", {"init_tau": 3.0, "v_threshold": 0.5}),
    "IFNode": Case("SpikingJelly", "IFNode", {"v_threshold": 0.75}),
}

# loaded as if they reset at once: how many spikes differ
LATE_CASES = {
    "Leaky, subtract, late": Case("snnTorch", "Leaky", {"beta": 0.9}),
    "Synaptic, subtract, late": Case("snnTorch", "Synaptic", {"alpha": 0.6, "beta": 0.8}),
    "Synaptic, zero, late": Case("snnTorch", "Synaptic", {"alpha": 0.6, "beta": 0.8, "reset_mechanism": "zero"}),
}


def run_case(case: Case, x: Tensor, sizes: tuple[int, int, int]) -> tuple[dict[str, Tensor], Tensor]:
    """The network's state_dict, and its spikes on ``x [L, B, I]``."""
    first, second = (nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
    with torch.no_grad(), quiet():
        second.weight.mul_(4)
        if case.framework == "snnTorch":
            import snntorch

            neurons = [getattr(snntorch, case.neuron)(**case.options) for _ in range(2)]
        else:
            from spikingjelly.activation_based import neuron

            neurons = [getattr(neuron, case.neuron)(step_mode="s", **case.options) for _ in range(2)]
        network = nn.Sequential(first, neurons[0], second, neurons[1])
        return {k: v.clone() for k, v in network.state_dict().items()}, _spikes(case, list(network), x)


def _spikes(case: Case, layers: list[nn.Module], x: Tensor) -> Tensor:
    states: list[Any] = [()] * len(layers)
    outputs = []
    for element in x:
        signal = element
        for k, layer in enumerate(layers):
            if case.framework == "snnTorch" and not isinstance(layer, nn.Linear):
                signal, *states[k] = layer(signal, *states[k])
            else:
                signal = layer(signal)
        outputs.append(signal)
    return torch.stack(outputs)


WRITERS = ("SpikingJelly", "snnTorch")


def written_by(framework: str, path: Path) -> tuple[Tensor, Tensor]:
    """Let a framework write a NIR graph of a network of its own; sequences ``[L, B, ..]`` and the network's spikes.

    SpikingJelly: convolution, average pooling and two layers. snnTorch 1.0.0: two layers; nir 1.0.8 refuses its convolutions.
    """
    import nir

    torch.manual_seed(4)
    with torch.no_grad(), quiet():
        if framework == "SpikingJelly":
            from spikingjelly.activation_based import layer, neuron
            from spikingjelly.activation_based.nir_exchange import export_to_nir

            x = torch.rand(20, 2, 2, 8, 8)
            first, second = neuron.LIFNode(tau=2.0, v_threshold=0.5), neuron.LIFNode(tau=3.0, v_threshold=0.125)
            parts = [layer.Conv2d(2, 3, 3), first, layer.AvgPool2d(2), layer.Flatten(), layer.Linear(27, 5), second]
            network = nn.Sequential(*parts)
            graph = export_to_nir(network, x[0])
            for part in parts:
                if hasattr(part, "reset"):
                    part.reset()
            spikes = torch.stack([network(element) for element in x])
        else:
            import snntorch
            from snntorch.export_nir import export_to_nir

            x = 2 * torch.rand(20, 2, 6)
            # nir refuses the scalar beta and threshold of its defaults
            wide = [(torch.full((n,), beta), torch.ones(n)) for n, beta in ((12, 0.9), (5, 0.8))]
            kinds = [snntorch.Leaky(b, threshold=v, reset_mechanism="zero", init_hidden=True) for b, v in wide]
            network = nn.Sequential(nn.Linear(6, 12), kinds[0], nn.Linear(12, 5), kinds[1])
            network[2].weight.mul_(4)
            graph = export_to_nir(network, x[0, 0])
            for kind in kinds:
                kind.reset_hidden()
            spikes = torch.stack([network(element) for element in x])
    nir.write(path, graph)
    return x, spikes.float()
