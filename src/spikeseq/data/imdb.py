"""IMDB: 50,000 film reviews, half of them positive (7 to 10 stars), half negative (1 to 4), as tokens.

Source: Maas et al., "Learning word vectors for sentiment analysis", ACL 2011; ai.stanford.edu/~amaas/data/sentiment. Licence:
none stated; research, cite Maas 2011.
Checksums: of the prepared files below; the md5 of the archive as it is served, which a local copy must have too.
Split: official, 25,000 + 25,000; valid is taken from the official train reviews.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import tarfile
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from spikeseq.data.options import MAX_SEED, check_choice, check_integer
from spikeseq.data.shuffle import permutation
from spikeseq.data.sources import DataFile, find
from spikeseq.data.text.texts import TextData, Texts, to_texts
from spikeseq.data.text.tokenizer import LARGEST, Tokenizer, train_tokenizer
from spikeseq.data.verify import REMEDY, read
from spikeseq.errors import ConfigError, DataError

PREPARED = {
    "train": DataFile(
        "imdb", "train.jsonl.xz", "sha256:e6b711dd87b4066b64dc2fdfcea5247121ef881ddd717c8191baa2abc6c14916", 9_103_916
    ),
    "test": DataFile(
        "imdb", "test.jsonl.xz", "sha256:a58880e68c93cfcd433cab2d7fee7684bd0c98fda2f9028b22036923a8a6c1d3", 8_868_464
    ),
}
ORIGINAL = DataFile(
    "imdb", "aclImdb_v1.tar.gz", None, None, "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "md5:7c2ac02c03563afcf9b574c7e56c153a", ("train.jsonl.xz and test.jsonl.xz",),
)  # fmt: skip
SOURCES = {
    "prepared": "Large Movie Review Dataset v1.0 (labelled half), Maas et al. 2011",
    "archive": f"Large Movie Review Dataset v1.0, Maas et al. 2011, {ORIGINAL.url}",
}
MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(neg|pos)/[0-9]+_[0-9]+\.txt$")
REVIEWS = 12_500  # of each class, in each part
MAX_REVIEW = 2**20  # bytes; the longest has about 14,000
CLASSES = ("neg", "pos")


class Review(NamedTuple):
    """One review."""

    text: str
    label: int  # 0 negative, 1 positive


def load(
    *,
    vocabulary: int = 25_000,
    tokens: Literal["word", "bpe"] = "word",
    max_length: int = 400,
    keep: Literal["start", "end"] = "start",
    valid_size: int = 2500,
    seed: int = 0,
    variant: str = "auto",
) -> TextData:
    """Load IMDB as rows of tokens, each of its own length.

    vocabulary, tokens   size and kind of the tokenizer, which is trained on the train split alone
    max_length, keep     of a longer review the first ("start") or last ("end") max_length tokens are kept
    valid_size, seed     valid is the last valid_size of the train reviews shuffled with seed
    variant              "prepared": the two .jsonl.xz; "archive": aclImdb_v1.tar.gz; "auto": prepared where they are

    Raises ConfigError for any other value, DataError when a file is missing or corrupt, or a review is no UTF-8.
    """
    check_integer("vocabulary", vocabulary, 3, LARGEST)
    check_choice("tokens", tokens, ("word", "bpe"))
    check_integer("max_length", max_length, 1, 1_000_000)
    check_choice("keep", keep, ("start", "end"))
    check_integer("valid_size", valid_size, 1, 24_999)
    check_integer("seed", seed, 0, MAX_SEED)
    check_choice("variant", variant, ("auto", "prepared", "archive"))
    if variant == "auto":
        variant = "prepared" if all(map(find, PREPARED.values())) else "archive"
    train, test = _prepared() if variant == "prepared" else _archive()
    if valid_size >= len(train):
        raise ConfigError(f"valid_size={valid_size} leaves none of the {len(train)} train reviews; pass less")
    order = permutation(len(train), seed)
    kept, held_out = ([train[row] for row in rows] for rows in np.split(order, [len(train) - valid_size]))
    tokenizer = train_tokenizer((review.text for review in kept), vocabulary, tokens)
    part = slice(None, max_length) if keep == "start" else slice(-max_length, None)
    return TextData(
        name="imdb",
        train=_encoded(kept, tokenizer, part),
        valid=_encoded(held_out, tokenizer, part),
        test=_encoded(test, tokenizer, part),
        classes=CLASSES,
        tokenizer=tokenizer,
        source=SOURCES[variant],
        licence="none stated; research use, cite Maas et al. 2011",
    )


def _encoded(reviews: list[Review], tokenizer: Tokenizer, part: slice) -> Texts:
    rows = [ids[part] for ids in tokenizer.encode([review.text for review in reviews])]
    return to_texts(rows, [review.label for review in reviews])


def _prepared() -> tuple[list[Review], list[Review]]:
    return _lines(PREPARED["train"]), _lines(PREPARED["test"])


def _lines(file: DataFile) -> list[Review]:
    """The reviews of a prepared file: a JSON object a line."""
    try:
        text = lzma.decompress(read(file)).decode("utf-8")
        rows = [json.loads(line) for line in text.split("\n") if line]  # reviews hold other line separators themselves
        reviews = [Review(row["text"], row["label"]) for row in rows]
    except (lzma.LZMAError, EOFError, UnicodeDecodeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file.name} is damaged: {type(error).__name__}: {error}. {REMEDY}") from error
    for number, review in enumerate(reviews, 1):
        if not isinstance(review.text, str) or type(review.label) is not int or review.label not in (0, 1):
            raise DataError(f"{file.name}: review {number} is no text with the label 0 or 1. {REMEDY}")
    return reviews


def _archive() -> tuple[list[Review], list[Review]]:
    """The reviews of the original archive, by the names of their files. Raises DataError unless all are there."""
    found: dict[str, list[tuple[str, Review]]] = {"train": [], "test": []}
    for name, part, review in _members():
        found[part].append((name, review))
    for part, reviews in found.items():
        for label, name in enumerate(CLASSES):
            count = sum(review.label == label for _, review in reviews)
            if count != REVIEWS:
                raise DataError(f"{ORIGINAL.name}: {part}/{name} holds {count} reviews of {REVIEWS}. {REMEDY}")
    train, test = ([review for _, review in sorted(rows)] for rows in found.values())
    return train, test


def _members() -> Iterator[tuple[str, str, Review]]:
    try:
        # plain: a second compression would pass the limit on what is decompressed
        with tarfile.open(fileobj=io.BytesIO(read(ORIGINAL)), mode="r:") as archive:
            for member in archive:
                match = MEMBER.match(member.name)
                if match is None or not member.isfile():
                    continue
                if member.size > MAX_REVIEW:
                    raise DataError(
                        f"{ORIGINAL.name}: {member.name} takes {member.size} bytes; at most {MAX_REVIEW} are read"
                    )
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, match[1], Review(_decode(content.read(), member.name), CLASSES.index(match[2]))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{ORIGINAL.name} is no tar archive, or is damaged: {error}. {REMEDY}") from error


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{ORIGINAL.name}: {name} is no UTF-8 text: {error}. {REMEDY}") from error
