"""``spikeseq import``: a network that another framework made becomes a model file."""

from __future__ import annotations

from typing import Literal

from rich.console import Console

from spikeseq.errors import ConfigError
from spikeseq.exchange import from_nir
from spikeseq.nn.layers_file import save_layers
from spikeseq.runtime import compile

console = Console(soft_wrap=True, markup=False, highlight=False)


def import_(
    source: Literal["nir"],
    file: str,
    out: str = "runs/imported.pt",
    dt: float | None = None,
    reset: Literal["zero", "subtract"] | None = None,
) -> None:
    """Read a NIR graph of any framework and write a model file that export, energy and Python take.

    Args:
        source: what to read: nir
        file: the graph
        out: model file to write
        dt: seconds of an element; as the graph says, else 1e-4, if left out
        reset: of the neurons: zero or subtract; as the graph says, else zero, if left out
    """
    found = from_nir(file, dt, reset)
    save_layers(out, found.model, found.element_shape, {"dt": found.dt, "source": "nir"})
    for name, layer in found.model.named_children():
        console.print(f"{name}: {layer}")
    console.print(f"dt: {found.dt:g} s; reset: {found.reset}")
    try:
        compile(found.model)
        console.print("runs event-driven (spikeseq.runtime, export c): yes")
    except ConfigError as error:
        console.print(f"runs event-driven (spikeseq.runtime, export c): no, {error}")
    console.print(f"written: {out}")
