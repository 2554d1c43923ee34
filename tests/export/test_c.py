"""A generated header with main.c and csrc/ gives what the Python runtime gives; the folder builds by itself."""

import ctypes
import re
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.export.c import export_c, header
from spikeseq.export.footprint import Code
from spikeseq.export.literals import NUMBERS, STRUCTS, float_literals
from spikeseq.export.sources import runtime_sources
from spikeseq.runtime import library
from spikeseq.runtime.arrays import CODES, KINDS

CASES = {
    "grid": {"time_steps": 1},
    "two layers, mean": {"layers": 2, "pooling": "mean", "time_steps": 2},
    "unit spikes, no bias, no readout": {"layers": 3, "pooling": None, "time_steps": 4, "max_packet": 1, "bias": False},
    "quantised, no shift": {"cell": "quantized_lstm", "time_steps": 16, "shift": 0.0},
    "IF streams": {"cell": "stream_lstm", "layers": 2, "time_steps": 2},
    "LIF streams": {"cell": "stream_lstm", "layers": 2, "pooling": None, "time_steps": 4, "leak": 0.9},
    "8-bit input": {"layers": 2, "time_steps": 2, "input_encoding": "int8"},
    "delta input": {"pooling": "mean", "time_steps": 2, "input_encoding": "delta"},
    "gated current": {"cell": "spiking_gated_current", "layers": 2, "time_steps": 4, "candidate": "signed"},
    "gated current without recurrent product": {
        "cell": "spiking_gated_current",
        "pooling": "mean",
        "time_steps": 2,
        "variant": "v1",
    },
    "multi-bit outputs": {"cell": "gated_current", "layers": 2},
    "multi-bit outputs, rounded, without recurrent product": {
        "cell": "gated_current",
        "pooling": "mean",
        "variant": "v1",
        "rounding": "nearest",
        "levels": "unsigned",
        "range": "learned",
    },
    "published, its input in 6 bits": {"cell": "gated_current", "layers": 2, "input_bits": 6},
    "leaky current": {"cell": "leaky_current", "pooling": None, "first_leak": 0.9},
    "8-bit input of a gated current": {"cell": "spiking_gated_current", "time_steps": 2, "input_encoding": "int8"},
    "delta input of streams": {"cell": "stream_lstm", "time_steps": 2, "input_encoding": "delta"},
}
LIF = {
    "IF layers": {},
    "LIF layers, integrating readout": {"leak": 0.9, "pooling": "sum"},
    "LIF layers, reset to zero": {"leak": 0.5, "reset": "zero", "pooling": "mean"},
}


def inputs(elements, width=5):
    return np.random.default_rng(1).normal(size=(elements, width)).astype(np.float32)


def csv(x):
    return "".join(",".join(f"{v:.9g}" for v in row) + "\n" for row in x)


def outputs(command, x):
    done = subprocess.run([command], input=csv(x), capture_output=True, text=True, timeout=60, check=True)
    return np.array([[float(v) for v in line.split(",")] for line in done.stdout.splitlines()], np.float32)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("case", [*CASES, *LIF])
def test_every_kind_bit_for_bit(make_program, make_lif, link, expected, case, weights):
    """The promise for float32 is 1e-5; the same operations in the same order leave no difference at all."""
    program = make_program(weights=weights, **CASES[case]) if case in CASES else make_lif(weights=weights, **LIF[case])
    x = inputs(40)
    wanted = expected(program, x)
    assert len(np.unique(wanted)) > 4
    assert np.array_equal(outputs(link(program), x), wanted)


def test_the_folder_builds_by_make(make_program, expected, tmp_path):
    program, x = make_program(weights="int8", layers=2, time_steps=2), inputs(20)
    folder = export_c(program, tmp_path / "deep" / "out")
    assert folder == tmp_path / "deep" / "out"
    built = subprocess.run(["make", "-C", folder, "CFLAGS=-O0"], capture_output=True, text=True, check=True)
    assert built.stderr == ""
    assert built.stdout.count("-std=c11 -Wall -Wextra -Werror -ffp-contract=off -O0") == len(list(folder.glob("*.c")))
    assert np.array_equal(outputs(folder / "build" / "model", x), expected(program, x))
    for name, data in runtime_sources().items():
        assert (folder / name).read_bytes() == data
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    assert sums.stdout.count(": OK\n") == len([p for p in folder.iterdir() if p.is_file()]) - 1
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    export_c(program, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first  # the build went, nothing else changed


def counted(text, name):
    (value,) = re.findall(rf"^\| {name} \| ([\d,]+) \|$", text, re.MULTILINE)
    return int(value.replace(",", ""))


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_flash_is_what_the_compiler_places(make_program, tmp_path, weights):
    """All constants of an object file are weights or descriptors."""
    program = make_program(weights=weights, layers=2, time_steps=4)
    folder = export_c(program, tmp_path / "out")
    text = (folder / "README.md").read_text()
    assert counted(text, "flash: weights") == program.nbytes
    probe = tmp_path / "probe.c"
    probe.write_text('#include "model.h"\nconst spikeseq_model *probe(void) { return &model; }\n')
    subprocess.run(["cc", "-std=c11", f"-I{folder}", "-c", str(probe), "-o", str(tmp_path / "probe.o")], check=True)
    table = subprocess.run(["nm", "-S", str(tmp_path / "probe.o")], capture_output=True, text=True, check=True).stdout
    sizes = [int(size, 16) for size in re.findall(r"^\S+ (\S+) [rd] model", table, re.MULTILINE)]
    assert len(sizes) == header(program).count("static const")
    assert sum(sizes) == program.nbytes + counted(text, "flash: descriptors, pointers as here")


def test_ram_is_what_a_stream_takes(make_program, tmp_path, code):
    program = make_program(layers=2, time_steps=4)
    text = (export_c(program, tmp_path / "out") / "README.md").read_text()
    assert counted(text, "RAM: buffer of each stream") == program.stream().nbytes
    assert f"MODEL_STREAM_BYTES = {program.stream().nbytes}," in header(program)
    assert counted(text, "RAM: input and output") == 4 * (5 + 3)
    assert counted(text, "flash: code of spikeseq") == code.flash
    assert code.stack is None or counted(text, "RAM: stack, deepest chain of calls") == code.stack
    assert "Spiking network 5 -> 9 -> 9, readout 3: grid, T = 4, direct input, float32 weights." in text
    assert "$" not in text


def test_multi_bit_outputs_are_described(make_program, tmp_path):
    program = make_program(cell="gated_current", pooling="mean", input_bits=6)
    text = (export_c(program, tmp_path / "out") / "README.md").read_text()
    assert "Spiking network 5 -> 9, readout 3: gated, 32 levels, sigma_delta input, float32 weights." in text
    assert "prints 3 numbers for each element: readout of the mean so far." in text


def test_without_a_compiler_the_readme_says_so(make_program, tmp_path, monkeypatch):
    monkeypatch.setattr("spikeseq.export.c.count_code", lambda sources: None)
    text = (export_c(make_program(time_steps=2), tmp_path / "out") / "README.md").read_text()
    assert "no compiler was at hand" in text
    assert "flash: code" not in text
    monkeypatch.setattr("spikeseq.export.c.count_code", lambda sources: Code("some cc", 10, 0, None))
    text = (export_c(make_program(time_steps=2), tmp_path / "out") / "README.md").read_text()
    assert counted(text, "flash: code of spikeseq") == 10
    assert "stack" not in text


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_float_literals_are_exact(values):
    words = float_literals(values).split(", ")
    assert all(word.endswith("f") for word in words)
    back = np.array([float.fromhex(word[:-1]) for word in words], np.float32)
    assert back.tobytes() == np.array(values, np.float32).tobytes()  # the sign of zero too


def test_float_literals_are_short():
    assert float_literals([0.0, 1.0, -0.5, 1.75, 2.0**-149]) == "0x0p+0f, 0x1p+0f, -0x1p-1f, 0x1.cp+0f, 0x1p-149f"


def test_whatever_a_model_points_to_can_be_written():
    """A new structure or type of the runtime needs its line in literals.py, a new kind its case above."""

    def fields(struct):
        for _, kind in struct._fields_:
            pointed = getattr(kind, "_type_", None)
            if isinstance(pointed, str):
                assert kind in (ctypes.c_uint32, ctypes.c_float)  # a number of the structure itself
            elif issubclass(pointed, ctypes.Structure):
                assert pointed in STRUCTS
                fields(pointed)
            else:
                assert np.dtype(pointed).name in NUMBERS

    fields(library.ModelC)
    options = [{"cell": "spiking_lstm", **CASES[case]} for case in CASES]
    assert {"stream_lstm", "spiking_lstm", "spiking_gated_current"} <= {o["cell"] for o in options}
    assert {"gated_current", "leaky_current"} <= {o["cell"] for o in options}
    assert KINDS == ("grid", "streams", "lif", "levels", "gated", "leaky")
    codes = {"sigma_delta" if "input_bits" in o else o.get("input_encoding", "direct") for o in options}
    assert codes == set(CODES)


def test_a_header_for_other_c_files_does_not_compile(make_program, tmp_path):
    folder = export_c(make_program(time_steps=2), tmp_path / "out")
    wrong = re.sub(r"SPIKESEQ_ABI == (\d+)u", "SPIKESEQ_ABI == 999u", (folder / "model.h").read_text())
    (folder / "model.h").write_text(wrong)
    made = subprocess.run(["make", "-C", folder, "build/main.o"], capture_output=True, text=True, check=False)
    assert made.returncode
    assert "export anew" in made.stderr
