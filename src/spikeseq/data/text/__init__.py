"""Text: a tokenizer of one's own, sequences of tokens of different lengths, and word vectors."""
