"""Files damaged at random, and what their readers say: an error of spikeseq's own, what was written, or something sound."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import console
from spikeseq.errors import SpikeseqError

KINDS = ("cut", "bytes", "gap", "more", "word", "number", "line")
WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x7f\xff\xff\xff", b"\1\0\0\0")
NUMBERS = ("-1", "0", "1e9999", "nan", "99999999999999999999", "4294967296", "1" * 5000, "[]", "x")
SLOW = 10.0  # seconds that no reader may take for a small file


def damage(original: bytes, chance: random.Random, kind: str = "") -> bytes:
    """Cut off the end, change bytes, leave out or put in some; a whole word, number or line of a text becomes another.

    kind  one of KINDS; "": any. Where there is no number or line, bytes are changed
    """
    data, place = bytearray(original), chance.randrange(len(original))
    kind = kind or chance.choice(KINDS)
    if kind == "cut":
        return bytes(data[:place])
    if kind == "gap":
        return bytes(data[:place] + data[place + chance.randint(1, 64) :])
    if kind == "more":
        return bytes(data[:place] + chance.randbytes(chance.randint(1, 64)) + data[place:])
    if kind == "word":
        place -= place % 4
        return bytes(data[:place] + chance.choice(WORDS) + data[place + 4 :])
    numbers = list(re.finditer(rb"-?[0-9.]+", original)) if kind == "number" else []
    if numbers:
        number = chance.choice(numbers)
        return original[: number.start()] + chance.choice(NUMBERS).encode() + original[number.end() :]
    if kind == "line" and original.count(b"\n") > 1:
        lines = original.splitlines(keepends=True)
        chosen = chance.randrange(len(lines))
        return b"".join(lines[:chosen] + chance.choice(([], lines[chosen : chosen + 1] * 2)) + lines[chosen + 1 :])
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    return bytes(data)


def damaged(
    name: str,
    path: Path,
    read: Callable[[Path], Any],
    copies: int,
    chance: random.Random,
    sound: Callable[[Any], bool] | None = None,
) -> dict[str, Any]:
    """Damage a file so many times, read it, and count errors of ours, files that read as before, others that read, the rest.

    sound  of a format without a checksum, whose files may say other things: whether what was read is possible. Without it
           another content is a fault.
    """
    original, wanted = path.read_bytes(), read(path)
    counts = {"clear error": 0, "read as written": 0, "read otherwise": 0, "unsound": 0, "other error": 0, "slow": 0}
    try:
        for _ in range(copies):
            content = damage(original, chance)
            path.write_bytes(content)
            began = time.perf_counter()
            try:
                found = read(path)
                outcome = "read as written" if same(found, wanted) else "read otherwise"
                if outcome == "read otherwise" and sound is not None and not sound(found):
                    outcome = "unsound"
            except SpikeseqError as error:
                outcome = "clear error" if str(error) else "other error"
            except Exception as error:  # what is looked for
                console.print(f"{name}: {type(error).__name__}: {error}", markup=False)
                outcome = "other error"
            if time.perf_counter() - began > SLOW:
                outcome = "slow"
            if outcome in ("unsound", "slow"):
                console.print(f"{name}: {outcome}: {content[:200]!r}", markup=False)
            counts[outcome] += 1
    finally:
        path.write_bytes(original)
    good = counts["clear error"] + counts["read as written"] + (counts["read otherwise"] if sound else 0)
    text = ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)
    return {"what": f"{name}, damaged", "tried": copies, "good": good, "detail": text, **counts}


def same(one: Any, other: Any) -> bool:
    """Whether two results of a reader are equal."""
    if isinstance(other, Mapping):
        return isinstance(one, Mapping) and list(one) == list(other) and all(same(one[k], v) for k, v in other.items())
    if isinstance(other, torch.Tensor):
        return isinstance(one, torch.Tensor) and torch.equal(one, other)
    if isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and np.array_equal(one, other)
    if isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
