"""``spikeseq COMMAND ..``: the commands, their arguments from typed functions, and errors without a traceback."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any

from jsonargparse import ActionYesNo, ArgumentParser, Namespace
from rich.console import Console

from spikeseq import __version__
from spikeseq.errors import SpikeseqError

# command: where its function of that name is (spikeseq.cli), and the first line of its docstring. A command is imported when it
# is used: all of them together take some seconds.
COMMANDS = {
    "train": ("commands", "Train a recipe; the best model on validation data is kept and tested once."),
    "sweep": ("sweep", "Search for the best values of recipe keys with Optuna; run again, it goes on where it was."),
    "convert": (
        "commands",
        "Convert a trained model without further training; print what was done and what accuracy is left.",
    ),
    "evaluate": (
        "commands",
        "Print accuracy, spike rate and operations of a model file on one split of the data it was trained on.",
    ),
    "predict": (
        "predict",
        "Classify a text: the verdict, the probability after each word, spikes, and the operations it took.",
    ),
    "translate": (
        "translate",
        "Translate a sentence with a trained model; its tokenizer is in the model file, no data is needed.",
    ),
    "listen": (
        "listen",
        "Hear words in a recording: at each hop the most likely word of the last second, its score and what it cost.",
    ),
    "energy": (
        "energy",
        "Price a network and its float, hard and quantised counterparts, arithmetic only and with memory.",
    ),
    "latency": (
        "latency",
        "Print the cycles of a spiking network: serial, element-synchronous and wavefront; a cycle is the time of one node.",
    ),
    "export": ("export", "Write a model as C11 files that build with a Makefile, as an ONNX file, or as a NIR graph."),
    "import": (
        "import_",
        "Read a NIR graph of any framework and write a model file that export, energy and Python take.",
    ),
    "report": (
        "report",
        "Compare runs on one HTML page: tables, frontier, curves, operations, spikes, thresholds, schedules, sweeps.",
    ),
    "demo": ("demo", "Train, convert and fine-tune on scikit-learn's digits; write table, plots and report.html."),
}
FREE = ("checkpoint",)  # arguments that stay without "--" where they may be left out
MANY = ("runs",)  # arguments without "--" that take one or more values
CHOICES = {"objectives": ("accuracy", "energy")}  # options of one or more words, and which


def function_of(command: str) -> Callable[..., None]:
    """The function of a command."""
    found: Callable[..., None] = getattr(
        import_module(f"spikeseq.cli.{COMMANDS[command][0]}"), command + "_" * iskeyword(command)
    )
    return found


def parser(chosen: str | None = None) -> ArgumentParser:
    """The parser: of the chosen command from its signature and docstring, of the others the names alone."""
    root = ArgumentParser(prog="spikeseq", description="torch.nn.LSTM in, accumulate-only spiking LSTM out.")
    root.add_argument("--version", action="version", version=f"spikeseq {__version__}")
    commands = root.add_subcommands(required=True, dest="command")
    for name, (_, about) in COMMANDS.items():
        sub = _arguments(function_of(name), about) if name == chosen else ArgumentParser(description=about)
        commands.add_subcommand(name, sub, help=about)
    return root


def _arguments(function: Callable[..., None], about: str) -> ArgumentParser:
    """The parser of one command."""
    sub = ArgumentParser(description=about)
    texts = _argument_texts(function)
    flags = {p.name: p.default for p in inspect.signature(function).parameters.values() if isinstance(p.default, bool)}
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
    return sub


def _argument_texts(function: Any) -> dict[str, str]:
    """The lines ``name: text`` below "Args:" in a docstring."""
    _, _, arguments = (inspect.getdoc(function) or "").partition("Args:")
    pairs = (line.strip().split(": ", 1) for line in arguments.splitlines() if ": " in line)
    return dict(pairs)


def parse(arguments: Sequence[str]) -> Namespace:
    """Return the command, in ``command``, and its arguments; ends the process where they cannot be."""
    command = next((argument for argument in arguments if argument in COMMANDS), None)
    chosen: Namespace = parser(command).parse_args([_underscored(argument) for argument in arguments])
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
        function_of(chosen.command)(**values)
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
