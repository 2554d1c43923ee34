"""--help says what the docstrings say, of every argument of every command."""

import inspect
import subprocess
import sys
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from spikeseq.cli.main import COMMANDS, FREE, function_of


def test_root(spikeseq):
    ran = spikeseq("--help")
    assert ran.code == 0
    assert "torch.nn.LSTM in, accumulate-only spiking LSTM out." in ran.out
    for name, (_, about) in COMMANDS.items():
        assert name in ran.out
        assert about in ran.out
        assert inspect.getdoc(function_of(name)).split("\n")[0] == about


def test_help_imports_no_command():
    """It is there at once: Lightning, matplotlib and the compiler take seconds."""
    code = (
        "import sys; from spikeseq.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.rsplit("\n", 2)[-2].split())
    assert "torch" in loaded
    assert not loaded & {"lightning", "torchmetrics", "matplotlib", "torch._inductor", "spikeseq.cli.commands"}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(spikeseq, name):
    function = function_of(name)
    text = inspect.getdoc(function)
    ran = spikeseq(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert text.split("\n")[0] in ran.out
    parameters = inspect.signature(function).parameters
    documented = {}
    for line in text.partition("Args:")[2].splitlines():
        if ": " in line:
            argument, _, meaning = line.strip().partition(": ")
            documented[argument] = " ".join(meaning.split())
    assert list(documented) == list(parameters)  # every argument has its line
    for argument, meaning in documented.items():
        free = parameters[argument].default is inspect.Parameter.empty or argument in FREE
        hint = get_type_hints(function)[argument]
        placed = get_args(hint)[0] if get_origin(hint) is Literal else argument
        shown = placed if free else f"--{argument}"
        assert shown in ran.out
        assert free == (f"--{argument}" not in ran.out)
        assert meaning in ran.out, argument
