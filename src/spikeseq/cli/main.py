"""``spikeseq COMMAND ..``: the commands, their arguments from typed functions, and errors without a traceback."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from jsonargparse import ActionYesNo, ArgumentParser, Namespace
from rich.console import Console

from spikeseq import __version__
from spikeseq.cli.commands import convert, evaluate, train
from spikeseq.cli.demo import demo
from spikeseq.cli.energy import energy
from spikeseq.cli.export import export
from spikeseq.cli.import_ import import_
from spikeseq.cli.latency import latency
from spikeseq.cli.listen import listen
from spikeseq.cli.predict import predict
from spikeseq.cli.report import report
from spikeseq.cli.sweep import sweep
from spikeseq.cli.translate import translate
from spikeseq.errors import SpikeseqError

_FUNCTIONS = (
    train,
    sweep,
    convert,
    evaluate,
    predict,
    translate,
    listen,
    energy,
    latency,
    export,
    import_,
    report,
    demo,
)
COMMANDS = {f.__name__.rstrip("_"): f for f in _FUNCTIONS}
FREE = ("checkpoint",)  # arguments that stay without "--" where they may be left out
MANY = ("runs",)  # arguments without "--" that take one or more values
CHOICES = {"objectives": ("accuracy", "energy")}  # options of one or more words, and which


def parser() -> ArgumentParser:
    """Build the parser from the commands' signatures and docstrings."""
    root = ArgumentParser(prog="spikeseq", description="torch.nn.LSTM in, accumulate-only spiking LSTM out.")
    root.add_argument("--version", action="version", version=f"spikeseq {__version__}")
    commands = root.add_subcommands(required=True, dest="command")
    for name, function in COMMANDS.items():
        about = (inspect.getdoc(function) or "").split("\n")[0]
        sub = ArgumentParser(description=about)
        texts = _argument_texts(function)
        flags = {
            p.name: p.default for p in inspect.signature(function).parameters.values() if isinstance(p.default, bool)
        }
        free = [p.name for p in inspect.signature(function).parameters.values() if p.name in FREE and p.default is None]
        for argument in free:
            sub.add_argument(argument, nargs="?", help=texts[argument])
        many = [name for name in MANY if name in texts]
        for argument in many:
            sub.add_argument(argument, nargs="+", help=texts[argument])
        left: set[str | int] = {name for name in (*flags, *free, *many, *CHOICES, "set") if name in texts}
        sub.add_function_arguments(function, as_positional=True, skip=left)
        for flag, default in flags.items():  # "--resume" alone, and "--resume true"
            sub.add_argument(f"--{flag}", action=ActionYesNo, nargs="?", default=default, help=texts[flag])
        for option in CHOICES.keys() & texts.keys():
            sub.add_argument(f"--{option}", nargs="+", choices=CHOICES[option], help=texts[option])
        if "set" in texts:
            sub.add_argument("--set", action="append", help=texts["set"])
        commands.add_subcommand(name, sub, help=about)
    return root


def _argument_texts(function: Any) -> dict[str, str]:
    """The lines ``name: text`` below "Args:" in a docstring."""
    _, _, arguments = (inspect.getdoc(function) or "").partition("Args:")
    pairs = (line.strip().split(": ", 1) for line in arguments.splitlines() if ": " in line)
    return dict(pairs)


def parse(arguments: Sequence[str]) -> Namespace:
    """Return the command, in ``command``, and its arguments; ends the process where they cannot be."""
    chosen: Namespace = parser().parse_args([_underscored(argument) for argument in arguments])
    return chosen


def _underscored(argument: str) -> str:
    """Spell an option as its parameter: --seq-len=3 and --seq_len=3 are the same."""
    name, equals, value = argument.partition("=")
    return (name.replace("-", "_").replace("__", "--", 1) if name.startswith("--") else name) + equals + value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 on success, 2 for an error that the user can mend, 130 when interrupted."""
    chosen = parse(sys.argv[1:] if arguments is None else arguments)
    values: dict[str, Any] = chosen[chosen.command].as_dict()
    try:
        COMMANDS[chosen.command](**values)
    except SpikeseqError as error:
        Console(stderr=True).print(f"error: {error}", highlight=False, markup=False, soft_wrap=True)
        return 2
    except OSError as error:  # a folder that cannot be made, no room, no permission
        Console(stderr=True).print(
            f"error: {error}; choose a path that can be written", highlight=False, markup=False, soft_wrap=True
        )
        return 2
    except KeyboardInterrupt as error:
        Console(stderr=True).print(f"interrupted {error}", highlight=False, markup=False)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
