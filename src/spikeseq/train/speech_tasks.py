r"""Tasks on utterances: the class of each frame, and labels in their order by CTC. Padding is in no loss and no metric.

::

    frames   loss = mean over frames with a class of -log P(class);      accuracy over the frames whose class is scored
    ctc      loss = mean over utterances of -log P(labels) / number of labels  (blank = class 0)
    PER, WER = (substitutions + deletions + insertions) / (labels of the reference), over all utterances together

Source of CTC: Graves et al. (2006), doi:10.1145/1143844.1143891. Error rates by torchmetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.text import CharErrorRate, WordErrorRate

from spikeseq.data import SpeechData
from spikeseq.data.utterances import NO_LABEL, Batch
from spikeseq.errors import ConfigError
from spikeseq.train.curriculum import pieces
from spikeseq.train.decode import BLANK, beam, greedy
from spikeseq.train.losses import distillation

Decoder = Callable[[np.ndarray], list[int]]  # log probabilities [L, 1 + labels] -> labels


class _OnFrames:
    """What tasks with an output for each frame share."""

    def logits(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits ``[B, L, classes]``."""
        logits: Tensor = model(batch.x, batch.lengths.cpu())
        return logits

    def distill(self, logits: Tensor, target: Tensor, batch: Batch, temperature: float) -> Tensor:
        """Mean over the frames that are there."""
        there = torch.arange(batch.x.shape[1], device=batch.lengths.device) < batch.lengths[:, None]
        return distillation(logits[there], target[there], temperature)

    def elements(self, batch: Batch) -> int:
        """Frames that are there."""
        return int(batch.lengths.sum())


class Frames(_OnFrames):
    """The class of each frame."""

    def __init__(self, data: SpeechData) -> None:
        _check_targets(data, "frames")
        names = sorted({name for name in data.scored if name is not None})
        # class -> what it is scored as; -1: not scored
        self._scored = torch.tensor([-1 if name is None else names.index(name) for name in data.scored])

    def loss(self, logits: Tensor, batch: Batch, label_smoothing: float) -> Tensor:
        """Cross entropy, mean over the frames with a class."""
        own = batch.y != NO_LABEL
        return F.cross_entropy(logits[own], batch.y[own], label_smoothing=label_smoothing)

    def count(self, batch: Batch) -> int:
        """Frames with a class."""
        return int((batch.y != NO_LABEL).sum())

    def cut(self, batch: Batch, longest: int) -> Batch:
        """A random piece of each utterance, and its classes."""
        (x, y), lengths = pieces([batch.x, batch.y], batch.lengths, longest)
        assert lengths is not None
        return Batch(x, lengths, y, lengths)

    def meter(self) -> FrameAccuracy:
        """Share of the scored frames."""
        return FrameAccuracy(self._scored)


class FrameAccuracy:
    """Share of frames whose class is right, folded to what classes are scored as; others and padding are not counted."""

    def __init__(self, scored: Tensor) -> None:
        self._scored = scored
        self.hits, self.frames = 0, 0

    def add(self, logits: Tensor, batch: Batch) -> None:
        """Count hits."""
        scored = self._scored.to(logits.device)
        own = batch.y != NO_LABEL
        wanted, found = scored[batch.y[own]], scored[logits[own].argmax(-1)]
        self.hits += int(((found == wanted) & (wanted >= 0)).sum())
        self.frames += int((wanted >= 0).sum())

    def result(self) -> dict[str, float]:
        """``accuracy`` of the frames."""
        return {"accuracy": self.score()}

    def score(self) -> float:
        """The accuracy."""
        return self.hits / self.frames if self.frames else 0.0

    def tally(self) -> list[float]:
        """Hits and frames."""
        return [self.hits, self.frames]

    def take(self, tally: list[float]) -> None:
        """The same, of all processes."""
        self.hits, self.frames = (int(number) for number in tally)


class Ctc(_OnFrames):
    """Labels in their order, by connectionist temporal classification.

    width   of a beam search that is measured as well, beside the most probable path; 0: none
    """

    def __init__(self, data: SpeechData, width: int = 0) -> None:
        _check_targets(data, "sequence")
        self._data, self._width = data, width

    def loss(self, logits: Tensor, batch: Batch, label_smoothing: float) -> Tensor:
        """CTC loss; raises ConfigError for label smoothing, which it has not."""
        if label_smoothing:
            raise ConfigError(f"train.label_smoothing={label_smoothing}: there is none for task: ctc; set it to 0")
        # on the CPU: on a GPU its gradient is not the same from run to run
        log_probs = F.log_softmax(logits, -1).transpose(0, 1).cpu()
        labels = batch.y[batch.y != NO_LABEL].cpu()
        return F.ctc_loss(log_probs, labels, batch.lengths.cpu(), batch.y_lengths.cpu(), blank=BLANK)

    def count(self, batch: Batch) -> int:
        """Utterances."""
        return len(batch.lengths)

    def cut(self, batch: Batch, longest: int) -> Batch:
        """Raises ConfigError: a transcript cannot be cut with its audio."""
        raise ConfigError(
            f"train.length_curriculum with task: ctc: a transcript cannot be cut to {longest} frames; leave it out"
        )

    def meter(self) -> ErrorRate:
        """Error rates of what is decoded."""
        decoders: dict[str, Decoder] = {"": greedy}
        if self._width:
            decoders["_beam"] = lambda log_probs: beam(log_probs, self._width)[0]
        return ErrorRate(self._data, decoders)


class ErrorRate:
    """Phone error rate, or word and character error rate, of all utterances together, by each decoder."""

    def __init__(self, data: SpeechData, decoders: Mapping[str, Decoder]) -> None:
        self._names, self._decoders = data.scored, decoders
        characters = data.unit == "character"
        self._joint = "" if characters else " "  # characters make words themselves, phones are the words
        alone = {"sync_on_compute": False}  # tally and take add up over processes
        self._rates: dict[str, dict[str, WordErrorRate | CharErrorRate]] = {
            suffix: {f"wer{suffix}": WordErrorRate(**alone), f"cer{suffix}": CharErrorRate(**alone)}
            if characters
            else {f"per{suffix}": WordErrorRate(**alone)}
            for suffix in decoders
        }

    def add(self, logits: Tensor, batch: Batch) -> None:
        """Decode a batch and count its errors."""
        log_probs = F.log_softmax(logits.detach(), -1).cpu().numpy()
        wanted = [self.text(y[:length]) for y, length in zip(batch.y.tolist(), batch.y_lengths.tolist(), strict=True)]
        for suffix, decode in self._decoders.items():
            pairs = zip(log_probs, batch.lengths.tolist(), strict=True)
            found = [self.text(decode(own[:length])) for own, length in pairs]
            for rate in self._rates[suffix].values():
                rate.update(found, wanted)

    def text(self, labels: Iterable[int]) -> str:
        """What labels are scored as, as text."""
        return self._joint.join(name for label in labels if (name := self._names[label]) is not None)

    def result(self) -> dict[str, float]:
        """``per``, or ``wer`` and ``cer``; with ``_beam`` at the end those of the beam search."""
        return {name: float(rate.compute()) for rates in self._rates.values() for name, rate in rates.items()}

    def score(self) -> float:
        """1 / (1 + error rate), of characters where there are any: it moves long before a word is right."""
        found = self.result()
        return 1 / (1 + found.get("cer", found.get("per", 0.0)))

    def tally(self) -> list[float]:
        """Errors and labels of each rate."""
        return [float(number) for rate in self._all() for number in (rate.errors, rate.total)]

    def take(self, tally: list[float]) -> None:
        """The same, of all processes."""
        for k, rate in enumerate(self._all()):
            rate.errors, rate.total = (torch.tensor(number) for number in tally[2 * k : 2 * k + 2])

    def _all(self) -> list[WordErrorRate | CharErrorRate]:
        return [rate for rates in self._rates.values() for rate in rates.values()]


def _check_targets(data: SpeechData, targets: str) -> None:
    if data.targets != targets:
        task = {"frames": "ctc", "sequence": "frames"}[targets]
        raise ConfigError(
            f"data.options: {data.name} has {'frames' if data.targets == 'frames' else 'sequences'} as targets; "
            f"set targets: {targets}, or task: {task}"
        )
