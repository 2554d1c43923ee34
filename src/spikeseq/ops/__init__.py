"""Operations: tensors in, tensors out; no parameters, no state of their own."""
