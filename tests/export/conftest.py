"""A compiled runtime that any generated header is linked with, and programs to export."""

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from spikeseq import runtime
from spikeseq.export.c import header
from spikeseq.export.footprint import count_code
from spikeseq.export.sources import runtime_sources, template
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.runtime.arrays import LayerArrays, ReadoutArrays, Settings
from spikeseq.runtime.int8 import int8_layer, int8_readout
from spikeseq.runtime.library import library_path

STRICT = ("-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-O1")


@pytest.fixture(autouse=True)
def _built():
    if library_path() is None or shutil.which("cc") is None or shutil.which("make") is None:
        pytest.skip("no C compiler, or the runtime's library was not built: make lib")


@pytest.fixture(scope="session")
def code():
    """What the compiler makes of the C files, counted once."""
    return count_code(runtime_sources())


@pytest.fixture(autouse=True)
def _counted_once(code, monkeypatch):
    monkeypatch.setattr("spikeseq.export.c.count_code", lambda sources: code)


@pytest.fixture(scope="session")
def link(tmp_path_factory):
    """A function: a program -> main.c with its header, as a command. The C files are compiled once."""
    made = {}

    def objects(options):
        if options not in made:
            folder = tmp_path_factory.mktemp("objects")
            own = {name: template(name).encode() for name in ("main.c", "csv.c", "csv.h")}
            for name, data in {**runtime_sources(), **own}.items():
                (folder / name).write_bytes(data)
            names = sorted(path.name for path in folder.glob("*.c") if path.name != "main.c")
            subprocess.run(["cc", *STRICT, *options, "-c", *names], cwd=folder, check=True)
            made[options] = folder
        return made[options]

    def linked(program, *options) -> Path:
        folder = objects(options)
        (folder / "model.h").write_text(header(program))
        target = tmp_path_factory.mktemp("command") / "model"
        command = ["cc", *STRICT, *options, "main.c", *(p.name for p in folder.glob("*.o")), "-lm", "-o", str(target)]
        subprocess.run(command, cwd=folder, check=True)
        return target

    return linked


@pytest.fixture(scope="session")
def make_program():
    """A function: settings of a SequenceClassifier -> a program with random weights that let every layer spike."""

    def make(cell="spiking_lstm", layers=1, pooling="last", weights="float32", width=5, **options):
        torch.manual_seed(7)
        model = SequenceClassifier(width, 9, 3, cell, layers, pooling=pooling or "last", options=options)
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "weight" in name or "bias" in name:
                    p.mul_(3)
                elif name.endswith(("threshold_l0", "clip_l0", "leak_l0")):
                    p.mul_(0.7 + 0.3 * torch.rand_like(p))
        return runtime.compile(model if pooling else model.rnn, weights)

    return make


@pytest.fixture(scope="session")
def make_lif():
    """A function: settings of LIF layers 5 -> 9 -> 9 -> readout 3 -> a program with random weights."""

    def make(pooling="last", weights="float32", leak=None, **settings):
        generator, sizes = np.random.default_rng(3), (5, 9, 9)
        own = Settings(2, 0, 0.5, weights=weights, kind="lif", names=tuple("01234"), **settings)

        def values(*shape):
            return generator.normal(size=shape).astype(np.float32)

        layers = [
            LayerArrays(values(a, b), None, values(b), 1 + values(b) ** 2, None, leak and np.full(b, leak, np.float32))
            for a, b in itertools.pairwise(sizes)
        ]
        readout = ReadoutArrays(values(9, 3), None, values(3), pooling)
        if weights == "int8":
            layers = [int8_layer(layer, number, own) for number, layer in enumerate(layers)]
            readout = int8_readout(readout)
        return runtime.Program(own, layers, readout)

    return make


@pytest.fixture(scope="session")
def expected():
    """A function: program and inputs [L, I] -> what its stream gives for each element."""

    def step(program, x):
        stream = program.stream()
        return np.stack([stream.step(element) for element in x])

    return step
