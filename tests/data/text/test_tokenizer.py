"""The tokenizer: what it learns, what it does with text it has never seen, and the file form."""

import pytest

from spikeseq.data.text.tokenizer import PAD, UNKNOWN, Tokenizer, train_tokenizer
from spikeseq.errors import ConfigError, DataError

TEXTS = ["A good, good film.<br /><br />Not bad!", "a bad film", "GOOD"]


def test_words():
    tokenizer = train_tokenizer(TEXTS, 100)
    assert tokenizer.words[:2] == ("[pad]", "[unk]")
    assert set(tokenizer.words[2:]) == {"a", "good", "film", "bad", "not", ",", ".", "!"}
    assert tokenizer.words[2] == "good"  # the most frequent first
    assert tokenizer.pieces("A bad<br />FILM") == ["a", "bad", "film"]
    assert tokenizer.pieces("a ﬁlm") == ["a", "film"]  # the ligature is two letters in NFKC
    assert [len(row) for row in tokenizer.encode(["a good film", "bad"])] == [3, 1]


def test_the_most_frequent_words_stay():
    tokenizer = train_tokenizer(TEXTS, 4)
    assert (len(tokenizer), tokenizer.words[2]) == (4, "good")
    assert tokenizer.encode(["good grief"])[0].tolist() == [2, UNKNOWN]


@pytest.mark.parametrize("kind", ["word", "bpe"])
@pytest.mark.parametrize("text", ["", "   ", "<br />", "\n"])
def test_a_text_without_a_word_is_one_unknown_token(kind, text):
    assert train_tokenizer(TEXTS, 50, kind).encode([text])[0].tolist() == [UNKNOWN]


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_symbols_never_seen(kind):
    found = train_tokenizer(TEXTS, 50, kind).encode(["好 🎬 Ω"])[0]
    assert UNKNOWN in found
    assert PAD not in found


def test_pieces_of_words():
    tokenizer = train_tokenizer(["low lower lowest"] * 5 + ["new newer"] * 5, 30, "bpe")
    assert "".join(tokenizer.pieces("newest low")).replace("▁", " ").strip() == "newest low"
    assert UNKNOWN not in tokenizer.encode(["newest"])[0]
    assert len(tokenizer) <= 30


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_the_same_texts_give_the_same_tokenizer_and_it_survives_as_text(kind):
    one, two = (train_tokenizer(TEXTS, 40, kind) for _ in range(2))
    assert one.to_json() == two.to_json()
    again = Tokenizer.from_json(one.to_json())
    assert again.words == one.words
    assert again.encode(TEXTS)[0].tolist() == one.encode(TEXTS)[0].tolist()


@pytest.mark.parametrize("text", ["", "{}", '{"version": "1.0"}'])
def test_what_is_no_tokenizer(text):
    with pytest.raises(DataError, match=r"the tokenizer cannot be read .* train it anew"):
        Tokenizer.from_json(text)


def test_a_tokenizer_of_somebody_else():
    other = train_tokenizer(TEXTS, 40).to_json().replace("[pad]", "<s>")
    with pytest.raises(DataError, match="the tokenizer was not made here"):
        Tokenizer.from_json(other)


def test_what_cannot_be():
    with pytest.raises(ConfigError, match="vocabulary=2 is not valid"):
        train_tokenizer(TEXTS, 2)
    with pytest.raises(ConfigError, match="kind='words' is not valid; did you mean 'word'"):
        train_tokenizer(TEXTS, 40, "words")
    with pytest.raises(DataError, match="hold no word"):
        train_tokenizer(["", " "], 40)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(DataError, match=r"pip install 'spikeseq\[text\]'"):
        train_tokenizer(TEXTS, 40)


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_special_tokens_in_a_text_are_text(kind):
    tokenizer = train_tokenizer([*TEXTS, "an [eos] and [pad] in brackets"], 90, kind, frame=True)
    again = Tokenizer.from_json(tokenizer.to_json())
    for found in (tokenizer, again):
        tokens = found.encode(["[eos] [pad] [bos]"])[0].tolist()
        assert set(tokens) & {PAD, 2, 3} == set()
