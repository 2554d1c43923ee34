"""Multi30k, task 1: 29,000 German captions of pictures and their English translations, as tokens.

Source: Elliott, Frank, Sima'an & Specia, "Multi30K: multilingual English-German image descriptions", VL 2016; files of
github.com/multi30k/dataset, ``data/task1/raw``. Licence: none stated there; commonly cited as CC BY-NC-SA 4.0 / research use.
Checksums: sha256 of the content, and of the .gz as it is served.
Split: official: train 29,000, val 1,014, test 2016 (Flickr) 1,000.
"""

from __future__ import annotations

from typing import Literal

from spikeseq.data.options import check_choice, check_integer
from spikeseq.data.sources import DataFile
from spikeseq.data.text.pairs import Pairs, TranslationData
from spikeseq.data.text.tokenizer import LARGEST, Tokenizer, train_tokenizer
from spikeseq.data.verify import REMEDY, read
from spikeseq.errors import DataError
from spikeseq.shapes import check_flag

COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
ADDRESS = f"https://raw.githubusercontent.com/multi30k/dataset/{COMMIT}/data/task1/raw"


def _file(name: str, content: str, size: int, served: str) -> DataFile:
    return DataFile("multi30k", name, f"sha256:{content}", size, f"{ADDRESS}/{name}", f"sha256:{served}")


FILES = {
    ("train", "de"): _file(
        "train.de.gz", "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72", 2_110_398,
        "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    ),
    ("train", "en"): _file(
        "train.en.gz", "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6", 1_801_238,
        "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    ),
    ("val", "de"): _file(
        "val.de.gz", "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660", 75_981,
        "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    ),
    ("val", "en"): _file(
        "val.en.gz", "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227", 63_297,
        "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    ),
    ("test_2016_flickr", "de"): _file(
        "test_2016_flickr.de.gz", "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16", 70_649,
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    ),
    ("test_2016_flickr", "en"): _file(
        "test_2016_flickr.en.gz", "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182", 62_076,
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    ),
}  # fmt: skip
SPLITS = ("train", "val", "test_2016_flickr")


def load(
    *, vocabulary: int = 8000, lower: bool = True, max_length: int = 100, direction: Literal["de-en", "en-de"] = "de-en"
) -> TranslationData:
    """Load Multi30k as pairs of rows of tokens.

    vocabulary   tokens of the byte-pair encoding that both languages share, trained on the train split alone
    lower        whether both languages are lower-cased
    max_length   pairs of train with a sentence of more tokens are left out, as are all with an empty one; ``skipped`` counts
    direction    "de-en" or "en-de"

    Raises ConfigError for any other value, DataError when a file is missing or damaged, is no UTF-8, or its languages
    differ in number of lines.
    """
    check_integer("vocabulary", vocabulary, 5, LARGEST)
    check_flag("lower", lower)
    check_integer("max_length", max_length, 1, 1_000_000)
    check_choice("direction", direction, ("de-en", "en-de"))
    languages = (direction[:2], direction[3:])
    pairs = {part: _sentences(part, languages) for part in SPLITS}
    texts = {part: [pair for pair in own if all(side.strip() for side in pair)] for part, own in pairs.items()}
    both = (sentence for pair in texts["train"] for sentence in pair)
    tokenizer = train_tokenizer(both, vocabulary, "bpe", frame=True, lower=lower)
    train, valid, test = (_encoded(texts[part], tokenizer) for part in SPLITS)
    kept = [row for row, length in enumerate(train.length) if length <= max_length]
    skipped = {
        f"longer than {max_length} tokens": len(train) - len(kept),
        "an empty sentence": sum(len(pairs[part]) - len(texts[part]) for part in SPLITS),
    }
    return TranslationData(
        name="multi30k",
        train=train if len(kept) == len(train) else _rows(train, kept),
        valid=valid,
        test=test,
        tokenizer=tokenizer,
        languages=languages,
        lower=lower,
        source=f"Multi30k task 1, raw, {COMMIT[:8]}, Elliott et al. 2016",
        licence="none stated; commonly cited as CC BY-NC-SA 4.0, research use",
        skipped={reason: number for reason, number in skipped.items() if number},
    )


def _sentences(part: str, languages: tuple[str, str]) -> list[tuple[str, str]]:
    """Pairs of sentences, one a line."""
    sides = [_lines(FILES[part, language]) for language in languages]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"multi30k {part}: {len(sides[0])} lines of {languages[0]} and {len(sides[1])} of {languages[1]} "
            f"cannot be pairs. {REMEDY}"
        )
    return list(zip(*sides, strict=True))


def _lines(file: DataFile) -> list[str]:
    try:
        text = read(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is no UTF-8 text: {error}. {REMEDY}") from error
    return text.removesuffix("\n").split("\n")


def _encoded(pairs: list[tuple[str, str]], tokenizer: Tokenizer) -> Pairs:
    source, target = ([pair[side] for pair in pairs] for side in (0, 1))
    return Pairs(
        tuple(tokenizer.encode(source)), tuple(tokenizer.encode(target)), tuple(source), tuple(target)
    )  # fmt: skip


def _rows(pairs: Pairs, rows: list[int]) -> Pairs:
    sides = (pairs.source, pairs.target, pairs.source_text, pairs.target_text)
    return Pairs(*(tuple(side[row] for row in rows) for side in sides))  # type: ignore[arg-type]
