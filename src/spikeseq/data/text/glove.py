"""GloVe vectors: a text file, a word and its numbers on each line.

Source: Pennington, Socher & Manning (2014), doi:10.3115/v1/D14-1162; files at nlp.stanford.edu/projects/glove.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spikeseq.errors import DataError


def read_glove(path: str | Path, words: Sequence[str], width: int) -> tuple[Tensor, float]:
    """Return the vectors of ``words``, float32 ``[V, width]``, zeros where the file has none, and the share that it has.

    Raises DataError, naming the line, for a file that is missing, no UTF-8, or has other than ``width`` numbers on a line.
    """
    rows = {word: row for row, word in enumerate(words)}
    vectors = np.zeros((len(words), width), np.float32)
    found: set[str] = set()
    line = 0
    try:
        with open(path, encoding="utf-8") as file:
            for line, text in enumerate(file, 1):
                word, *numbers = text.rstrip("\n").split(" ")
                if line == 1 or word in rows:
                    values = _numbers(numbers, width, path, line)
                if word in rows:
                    vectors[rows[word]] = values
                    found.add(word)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"vectors {str(path)!r} cannot be read behind line {line}: {error}; get glove.6B.zip"
        ) from error
    if not found:
        raise DataError(
            f"vectors {str(path)!r} have none of the {len(words)} words of the vocabulary; is it in lower case?"
        )
    return torch.from_numpy(vectors), len(found) / len(words)


def _numbers(numbers: list[str], width: int, path: str | Path, line: int) -> np.ndarray:
    try:
        values = np.array(numbers, np.float32)
    except ValueError as error:
        raise DataError(f"vectors {str(path)!r}, line {line}: {error}; it is no GloVe file, or is damaged") from error
    if len(values) != width or not np.isfinite(values).all():
        raise DataError(f"vectors {str(path)!r}, line {line}: {len(values)} numbers, the embedding has {width}")
    return values
