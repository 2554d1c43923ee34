"""Batches of utterances, or of texts, of similar length, so that little is padding; shuffled by seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from spikeseq.data import Pairs, Texts, Utterances
from spikeseq.data.speech.augment import Mask
from spikeseq.data.text.pairs import PairBatch
from spikeseq.data.text.texts import TokenBatch
from spikeseq.data.utterances import Batch
from spikeseq.train.batches import Pick, batch_seed
from spikeseq.train.ranks import ALONE, global_batches, ranks, share

POOL = 20  # batches whose utterances are sorted together: large enough for little padding, small enough to shuffle


class _Tokens(Dataset[TokenBatch]):
    """Texts, indexed by a whole batch of rows at once."""

    def __init__(self, split: Texts) -> None:
        self.split = split

    def __getitem__(self, pick: Pick) -> TokenBatch:
        return self.split.batch(pick.rows)


class _Sentences(Dataset[PairBatch]):
    """Pairs of sentences, indexed by a whole batch of rows at once."""

    def __init__(self, split: Pairs) -> None:
        self.split = split

    def __getitem__(self, pick: Pick) -> PairBatch:
        return self.split.batch(pick.rows)


class _Padded(Dataset[Batch]):
    """Utterances, indexed by a whole batch of rows at once."""

    def __init__(self, split: Utterances, mask: Mask | None) -> None:
        self.split, self.mask = split, mask

    def __getitem__(self, pick: Pick) -> Batch:
        batch = self.split.batch(pick.rows)
        if self.mask is None or pick.seed is None:
            return batch
        return batch._replace(x=self.mask(batch.x, batch.lengths, torch.Generator().manual_seed(pick.seed)))


class _Buckets(Sampler[Pick]):
    """Rows of each batch. Shuffled: all rows, then sorted by length within pools, then the batches shuffled; or by length."""

    def __init__(self, lengths: Tensor, size: int, seed: int | None, shared: bool) -> None:
        self.lengths, self.size, self.seed, self.shared, self.epoch = lengths, size, seed, shared, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Pick]:
        who = ranks() if self.shared else ALONE
        if self.seed is None:
            by_length = torch.argsort(self.lengths, stable=True)
            whole = global_batches(by_length, self.size, who.processes)
            return (Pick(share(rows, who), None) for rows in whole)
        own = self.seed * 100_003 + self.epoch
        generator = torch.Generator().manual_seed(own)
        batches: list[Tensor] = []
        for pool in self._pools(torch.randperm(len(self.lengths), generator=generator), who.processes):
            by_length = pool[torch.argsort(self.lengths[pool], stable=True)]
            batches += global_batches(by_length, self.size, who.processes)
        order = torch.randperm(len(batches), generator=generator).tolist()
        return (
            Pick(share(batches[k], who), batch_seed(own, place * who.processes + who.rank))
            for place, k in enumerate(order)
        )

    def _pools(self, order: Tensor, processes: int) -> list[Tensor]:
        return global_batches(order, self.size * POOL, processes)

    def __len__(self) -> int:
        processes, rows = ranks().processes if self.shared else 1, torch.arange(len(self.lengths))
        pools = [rows] if self.seed is None else self._pools(rows, processes)
        return sum(len(global_batches(pool, self.size, processes)) for pool in pools)


def train_utterances(split: Utterances, size: int, seed: int, mask: Mask | None = None) -> DataLoader[Batch]:
    """Shuffled training batches of up to ``size`` utterances, shared by all ranks; every utterance once an epoch."""
    return _loader(_Padded(split, mask), split, size, seed, shared=True)


def eval_utterances(split: Utterances, size: int = 64, shared: bool = False) -> DataLoader[Batch]:
    """All utterances, by length; ``shared``: this process's share of them."""
    return _loader(_Padded(split, None), split, size, None, shared)


def train_texts(split: Texts, size: int, seed: int) -> DataLoader[TokenBatch]:
    """Shuffled training batches of up to ``size`` texts, shared by all ranks; every text once an epoch."""
    return _loader(_Tokens(split), split, size, seed, shared=True)


def eval_texts(split: Texts, size: int = 256, shared: bool = False) -> DataLoader[TokenBatch]:
    """All texts, by length; ``shared``: this process's share of them."""
    return _loader(_Tokens(split), split, size, None, shared)


def train_pairs(split: Pairs, size: int, seed: int) -> DataLoader[PairBatch]:
    """Shuffled training batches of up to ``size`` pairs of sentences, shared by all ranks; every pair once an epoch."""
    return _loader(_Sentences(split), split, size, seed, shared=True)


def eval_pairs(split: Pairs, size: int = 128, shared: bool = False) -> DataLoader[PairBatch]:
    """All pairs of sentences, by length; ``shared``: this process's share of them."""
    return _loader(_Sentences(split), split, size, None, shared)


def _loader(
    rows: Dataset[Any], split: Utterances | Texts | Pairs, size: int, seed: int | None, shared: bool
) -> DataLoader[Any]:
    sampler = _Buckets(torch.from_numpy(split.length), size, seed, shared)
    # a generator of its own: an iterator draws a number when it is made, which a resumed run does at another moment
    return DataLoader(rows, sampler=sampler, batch_size=None, generator=torch.Generator())
