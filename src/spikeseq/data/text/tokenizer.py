"""A tokenizer trained on one's own text, by the ``tokenizers`` package: whole words, or byte-pair pieces (BPE).

Text is put into Unicode form NFKC, lower-cased, HTML line breaks become spaces, and punctuation is split from words. Token 0
is padding, token 1 whatever the vocabulary does not know.

Sources: Sennrich, Haddow & Birch (2016), arXiv:1508.07909 (BPE); Hugging Face tokenizers, Apache 2.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from spikeseq.data.options import check_choice, check_integer
from spikeseq.errors import DataError

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
SPECIAL = ("[pad]", "[unk]")
FRAME = ("[bos]", "[eos]")  # tokens BEGIN and END of sentences that are written, not classified
SPACE = "\u2581"  # stands for a space at the front of a BPE piece
LARGEST = 1_000_000


class Tokenizer:
    """Text -> numbers and back. Made by :func:`train_tokenizer` or :meth:`from_json`."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._model.encode_special_tokens = True  # "[pad]" in a text is text, not padding

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary: token i is ``words[i]``."""
        return tuple(self._model.id_to_token(i) for i in range(self._model.get_vocab_size()))

    def __len__(self) -> int:
        return int(self._model.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tokens of each text, int32; a text without any token is one unknown token."""
        found = (np.array(row.ids, np.int32) for row in self._model.encode_batch_fast(list(texts)))
        return [ids if len(ids) else np.array([UNKNOWN], np.int32) for ids in found]

    def pieces(self, text: str) -> list[str]:
        """Return the text's tokens as they are written in the vocabulary."""
        return [self._model.id_to_token(i) for i in self.encode([text])[0].tolist()]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens of kind "bpe", special tokens left out."""
        kept = (int(i) for i in ids if int(i) > UNKNOWN and self._model.id_to_token(int(i)) not in FRAME)
        return "".join(self._model.id_to_token(i) for i in kept).replace(SPACE, " ").strip()

    def to_json(self) -> str:
        """Return the whole tokenizer as text."""
        return str(self._model.to_str())

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """Read what :meth:`to_json` wrote. Raises DataError for anything else."""
        try:
            model = _package().Tokenizer.from_str(text)
            model.encode("\U0010ffff")  # an unknown word fails where the token for it is gone
        except Exception as error:  # the package raises plain Exception
            raise DataError(f"the tokenizer cannot be read ({error}); train it anew") from error
        if sorted(model.get_vocab().values()) != list(range(model.get_vocab_size())):
            raise DataError("the tokenizer is damaged: its tokens are not numbered from 0 without a gap; train it anew")
        if tuple(model.id_to_token(i) for i in range(len(SPECIAL))) != SPECIAL:
            raise DataError(f"the tokenizer was not made here: its first tokens are not {SPECIAL}; train it anew")
        return cls(model)


def train_tokenizer(
    texts: Iterable[str],
    vocabulary: int,
    kind: Literal["word", "bpe"] = "word",
    frame: bool = False,
    lower: bool = True,
) -> Tokenizer:
    """Train a tokenizer of at most so many tokens, padding and unknown among them.

    kind    "word": the most frequent words; "bpe": the most frequent pieces of words, spaces kept at their front
    frame   whether tokens 2 and 3 are BEGIN and END
    lower   whether text is lower-cased
    Raises ConfigError for a bad option, DataError where the texts hold no word or ``tokenizers`` is not installed.
    """
    special = [*SPECIAL, *(FRAME if frame else ())]
    check_integer("vocabulary", vocabulary, len(special) + 1, LARGEST)
    check_choice("kind", kind, ("word", "bpe"))
    t = _package()
    unknown = SPECIAL[UNKNOWN]
    own = t.models.WordLevel(unk_token=unknown) if kind == "word" else t.models.BPE(unk_token=unknown)
    made = t.Tokenizer(own)
    clean = [t.normalizers.Replace("<br />", " "), t.normalizers.NFKC()]
    clean += [t.normalizers.Lowercase()] if lower else []
    if kind == "bpe":  # whose pieces hold spaces
        clean += [t.normalizers.Replace(t.Regex(r"\s+"), " "), t.normalizers.Strip()]
    made.normalizer = t.normalizers.Sequence(clean)
    before = t.pre_tokenizers.Whitespace() if kind == "word" else t.pre_tokenizers.Metaspace()
    made.pre_tokenizer = t.pre_tokenizers.Sequence([before, t.pre_tokenizers.Punctuation()])
    trainer = t.trainers.WordLevelTrainer if kind == "word" else t.trainers.BpeTrainer
    made.train_from_iterator(texts, trainer(vocab_size=vocabulary, special_tokens=special, show_progress=False))
    if made.get_vocab_size() <= len(special):
        raise DataError("the texts to train a tokenizer on hold no word; pass some text")
    return Tokenizer(made)


def _package() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise DataError(f"text needs the package tokenizers ({error}): pip install 'spikeseq[text]'") from error
    return tokenizers
