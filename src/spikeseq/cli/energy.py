"""``spikeseq energy``: what a spiking network costs beside the LSTM that it replaces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from spikeseq.cli.data_of import calibration_rows, data_of, recipe_of
from spikeseq.cli.energy_layers import energy_of_layers
from spikeseq.conversion import ConvertConfig, convert
from spikeseq.data import Data, SequenceData, TextData, TranslationData
from spikeseq.energy import Comparison, PriceTable, audit, compare, price, read_table
from spikeseq.energy.compare import FORMATS, MEMORIES, has_counterparts, rows
from spikeseq.energy.cost import Memory
from spikeseq.errors import ConfigError
from spikeseq.nn.checkpoint import load_model, load_sequence_model
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.layers_file import is_layers
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.recurrent import Recurrent
from spikeseq.nn.spiking import as_spiking
from spikeseq.nn.text import TextClassifier
from spikeseq.nn.translation import Translator
from spikeseq.report.energy_plots import stacked_energy
from spikeseq.report.figure import save_png
from spikeseq.report.record import new_record, write_record
from spikeseq.report.table import Column, rich_table
from spikeseq.shapes import spaced
from spikeseq.train.evaluate import text_rows
from spikeseq.train.inputs import load_data, pair_arguments

console = Console(soft_wrap=True, markup=False)
AUDITED = 4  # test sequences of the audit
LOOK_UPS = ("encoder.to_current", "decoder.to_current")  # W e of a translation network: e is one of finitely many
OPERATIONS = [Column("network"), Column("macs", "MACs", digits=0), Column("acs", "ACs", digits=0)]


def energy(
    checkpoint: str,
    sequences: int = 512,
    time_steps: int = 2,
    table: str | None = None,
    out: str | None = None,
    record: str | None = None,
    inputs: str | None = None,
) -> None:
    """Price a network and its float, hard and quantised counterparts, arithmetic only and with memory.

    Args:
        checkpoint: model file (runs/X/model.pt); a float or hard LSTM is converted first, without training
        sequences: how many test sequences to count on
        time_steps: T of that conversion; a trained model keeps its own
        table: YAML file with other prices (docs/energy.md)
        out: folder for energy.png and energy.json
        record: write the record to this folder as well, as <name>_energy/seed<seed>.json
        inputs: .npy file of sequences [B, L, ..], of a model file that names no data (an imported network)
    """
    if sequences < 1:
        raise ConfigError(f"sequences={sequences}: count at least one sequence")
    prices = read_table(table) if table else None
    if is_layers(checkpoint):
        if out or record:
            raise ConfigError(
                f"out={out!r}, record={record!r}: a network that names no data has no record; leave them out"
            )
        energy_of_layers(checkpoint, inputs, sequences, prices)
        return
    model, settings, notes = load_model(checkpoint)
    if inputs is not None:
        raise ConfigError(f"inputs={inputs!r}: checkpoint {checkpoint!r} has data of its own; leave it out")
    started = time.time()
    if isinstance(model, TextClassifier | PictureClassifier | Translator):
        data = load_data(recipe_of(notes, checkpoint))
        network, once = as_spiking(model), LOOK_UPS if isinstance(model, Translator) else model.once
        if not has_counterparts(network):
            raise ConfigError(
                f"checkpoint {checkpoint!r} has cell={settings.cell!r}, which does not spike; pass one of lif or if"
            )
    else:
        layers = load_sequence_model(checkpoint)[0]  # refuses classifiers of frames
        data = data_of(notes, checkpoint)
        network, once = spiking_network(layers, data, time_steps), ()
    found = compare(network, test_rows(data, sequences))
    show(found, prices)
    few = test_rows(data, AUDITED)
    proof = audit(network, few[0] if isinstance(data, TranslationData) else few, allow=["input layer", *once])
    also = " and what runs once for a sequence" if once else ""
    also = " and what a table of words can hold" if isinstance(model, Translator) else also
    console.print(f"audit, first layer{also} allowed to multiply: {proof}")
    metrics = {**summary(found, prices), "accumulate_only": proof.ok}
    recipe = notes["recipe"]
    made = new_record(
        "evaluate", f"{recipe['name']}_energy", config={**recipe, "energy": {"sequences": sequences, "table": table}},
        seed=recipe["seed"], metrics=metrics, seconds=time.time() - started, threads=torch.get_num_threads(),
    )  # fmt: skip
    if out:
        save_png(plot(found, prices), Path(out) / "energy.png")
        write_record(made, Path(out) / "energy.json")
        console.print(f"written: {out}/energy.png, {out}/energy.json")
    if record:
        write_record(made, Path(record) / f"{recipe['name']}_energy/seed{recipe['seed']}.json")


def spiking_network(model: SequenceClassifier, data: SequenceData, time_steps: int) -> nn.Module:
    """The network as it spikes; one without spikes is converted, without training."""
    layers = [m.kind for m in model.modules() if isinstance(m, Recurrent)]
    if any(kind.spikes or isinstance(kind, QuantizedKind) for kind in layers):
        spiking: nn.Module = as_spiking(model)
        return spiking
    console.print(f"converted without training, T = {time_steps}: train it for what its spikes really cost")
    return convert(model, ConvertConfig(time_steps), calibration_rows(data)).model


def test_rows(data: Data, count: int) -> Any:
    """So many test sequences, as arguments of a model."""
    if isinstance(data, TranslationData):  # pair by pair: no padding is counted
        return [pair_arguments(data.test.batch([row])) for row in spaced(len(data.test), count).tolist()]
    assert isinstance(data, SequenceData | TextData)  # load_sequence_model has refused the other models
    return text_rows(data, count) if isinstance(data, TextData) else data.test.x[spaced(len(data.test.x), count)]


def show(found: Comparison, prices: PriceTable | None) -> None:
    """Print the tables: operations, energy and gain in each format; then cap and break-even rates."""
    lines = rows(found, table=prices)
    wide = Console(width=max(110, console.width))
    for memory, title in (("none", "arithmetic only"), ("sram", "with memory (SRAM)")):
        columns = list(OPERATIONS)
        for form in FORMATS:
            columns += [Column(f"{form}_{memory}_pj", f"{form} pJ", digits=0), Column(f"{form}_{memory}_ratio", "gain")]
        wide.print(rich_table(lines, columns, title=f"energy for each sequence element, {title}"))
    cap = "none: the first layer multiplies nothing in full width" if found.cap is None else f"{found.cap:.1f} x"
    console.print(f"cap set by the first layer (MACs of the LSTM / MACs left): {cap}")
    console.print(f"T = {found.time_steps}; spikes for each unit and time step: {found.spike_rate:.3f}")
    against = list(found.counts)[:-1]
    for form in FORMATS:
        for memory in MEMORIES:
            rates = (found.break_even(label, form, memory, prices) for label in against)
            texts = (
                f"{label} {'-' if rate is None else f'{rate:.3f}'}" for label, rate in zip(against, rates, strict=True)
            )
            name = form if memory == "none" else f"{form} with memory"
            console.print(f"break-even spike rate, {name}: {', '.join(texts)}")


def summary(found: Comparison, prices: PriceTable | None) -> dict[str, Any]:
    """Plain values for a record."""
    metrics: dict[str, Any] = {"spike_rate": found.spike_rate, "networks": rows(found, table=prices)}
    own = found.counts["spiking"]
    metrics |= {"macs_per_element": own.macs_per_element, "acs_per_element": own.acs_per_element}
    if found.cap is not None:
        metrics["cap"] = found.cap
    for memory, suffix in zip(MEMORIES, ("", "_sram"), strict=True):
        for form in FORMATS:
            pj = found.energy(form, memory, prices)
            metrics[f"gain_{form}{suffix}"] = pj["LSTM"] / pj["spiking"]
            rate = found.break_even("LSTM", form, memory, prices)
            if rate is not None:
                metrics[f"break_even_{form}{suffix}"] = rate
    metrics["counts"] = {label: counts.to_dict() for label, counts in found.counts.items()}
    return metrics


def plot(found: Comparison, prices: PriceTable | None) -> Any:
    """One bar for each network, stacked by layer, in three panels."""
    panels: dict[str, Any] = {}
    bars: tuple[tuple[str, Memory], ...] = (("fp32", "none"), ("int32", "none"), ("int32", "sram"))
    for form, memory in bars:
        title = f"{form}, {'arithmetic only' if memory == 'none' else 'with memory'}"
        panels[title] = {
            label: {
                layer.name or "layer": {part: getattr(layer, part) for part in ("macs", "acs", "other", "memory")}
                for layer in price(counts, form, memory, prices).per_layer
            }
            for label, counts in found.counts.items()
        }
    return stacked_energy(panels)
