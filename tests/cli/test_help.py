"""--help says what the docstrings say, of every argument of every command."""

import inspect
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from spikeseq.cli.main import COMMANDS, FREE


def test_root(spikeseq):
    ran = spikeseq("--help")
    assert ran.code == 0
    assert "torch.nn.LSTM in, accumulate-only spiking LSTM out." in ran.out
    for name, function in COMMANDS.items():
        assert name in ran.out
        assert inspect.getdoc(function).split("\n")[0] in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_command(spikeseq, name):
    function = COMMANDS[name]
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
