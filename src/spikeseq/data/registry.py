"""The data sets by name, and ``load``, the one way in."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from spikeseq.data import digits, dvs_gesture, imdb, mnist, nmnist, speech_commands, uci_har
from spikeseq.data.sequence import SequenceData
from spikeseq.data.text.texts import TextData
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
NAMES = (*_LOADERS, *_TEXT)


def load(name: str, **options: object) -> SequenceData:
    """Load a data set as sequences.

    name      one of NAMES
    options   the keyword arguments of that data set's own ``load``, in the file of its name

    Raises ConfigError for an unknown name, an unknown option or an option's bad value, and DataError when the files
    are missing or corrupt.
    """
    if name not in _LOADERS:
        raise ConfigError(f"unknown data set {name!r}; {nearest(str(name), _LOADERS)}")
    loader = _LOADERS[name]
    valid = inspect.signature(loader).parameters
    for option in options:
        if option not in valid:
            raise ConfigError(f"data set {name!r} has no option {option!r}; {nearest(option, valid)}")
    return loader(**options)
