"""The data sets by name, and the ways in: ``load`` for sequences with a class each, ``load_speech`` for utterances."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from spikeseq.data import (
    digits,
    dvs_gesture,
    imdb,
    librispeech,
    mnist,
    multi30k,
    nmnist,
    speech_commands,
    timit,
    uci_har,
)
from spikeseq.data.sequence import SequenceData
from spikeseq.data.text.pairs import TranslationData
from spikeseq.data.text.texts import TextData
from spikeseq.data.utterances import SpeechData
from spikeseq.errors import ConfigError, nearest

_LOADERS: dict[str, Callable[..., SequenceData]] = {
    "digits": digits.load,
    "mnist": mnist.load,
    "uci_har": uci_har.load,
    "speech_commands": speech_commands.load,
    "nmnist": nmnist.load,
    "dvs_gesture": dvs_gesture.load,
}
_TEXT: dict[str, Callable[..., TextData]] = {"imdb": imdb.load}
_SPEECH: dict[str, Callable[..., SpeechData]] = {"timit": timit.load, "librispeech": librispeech.load}
_PAIRS: dict[str, Callable[..., TranslationData]] = {"multi30k": multi30k.load}
NAMES = (*_LOADERS, *_TEXT, *_SPEECH, *_PAIRS)
_HOLDS: dict[str, str] = {
    **dict.fromkeys(_LOADERS, "sequences of one class, neither texts nor utterances: use task: classify"),
    **dict.fromkeys(_TEXT, "texts, not sequences of vectors: use task: text"),
    **dict.fromkeys(_SPEECH, "utterances, not sequences of one class: use task: frames or ctc"),
    **dict.fromkeys(_PAIRS, "pairs of sentences: use task: translate"),
}


def load(name: str, **options: object) -> SequenceData:
    """Load a data set as sequences with a class each.

    name      one of NAMES, but for texts (imdb), utterances (timit, librispeech) and pairs of sentences (multi30k)
    options   the keyword arguments of that data set's own ``load``, in the file of its name

    Raises ConfigError for an unknown name, an unknown option or an option's bad value, and DataError when the files
    are missing or corrupt.
    """
    return _load(name, _LOADERS, options)


def load_text(name: str, **options: object) -> TextData:
    """Load a data set of texts: imdb; options and errors as those of ``load``."""
    return _load(name, _TEXT, options)


def load_speech(name: str, **options: object) -> SpeechData:
    """Load a data set of utterances: timit or librispeech; options and errors as those of ``load``."""
    return _load(name, _SPEECH, options)


def load_pairs(name: str, **options: object) -> TranslationData:
    """Load a data set of pairs of sentences: multi30k; options and errors as those of ``load``."""
    return _load(name, _PAIRS, options)


def options_of(name: str) -> set[str]:
    """Names of a data set's options."""
    return set(inspect.signature({**_LOADERS, **_TEXT, **_SPEECH, **_PAIRS}[name]).parameters)


def check_names(name: str, options: Iterable[str]) -> None:
    """Raise ConfigError, with the nearest valid word, for a data set or an option that is not there; nothing is loaded."""
    if name not in NAMES:
        raise ConfigError(f"unknown data set {name!r}; {nearest(str(name), NAMES)}")
    valid = options_of(name)
    for option in options:
        if option not in valid:
            raise ConfigError(f"data set {name!r} has no option {option!r}; {nearest(option, valid)}")


def _load(name: str, loaders: Mapping[str, Callable[..., Any]], options: Mapping[str, object]) -> Any:
    if name in NAMES and name not in loaders:
        raise ConfigError(f"data set {name!r} holds {_HOLDS[name]}")
    check_names(name, options)
    return loaders[name](**options)
