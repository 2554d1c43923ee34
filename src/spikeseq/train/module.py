"""The Lightning module: loss, optimiser and schedules of a recipe. Equations live in ops, layers in nn."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from spikeseq.errors import ConfigError
from spikeseq.nn import observing
from spikeseq.nn.kinds import QuantizedKind
from spikeseq.nn.level_kinds import LevelGatedKind
from spikeseq.nn.neurons import Neurons
from spikeseq.nn.recurrent import recurrent_of
from spikeseq.nn.settings import Network
from spikeseq.ops.fuse import compiling
from spikeseq.train.budget import SpikeBudget
from spikeseq.train.clock import Clock
from spikeseq.train.curriculum import stage
from spikeseq.train.losses import packet_excess, spike_rate
from spikeseq.train.ranks import ranks, total, weights
from spikeseq.train.settings import TrainSettings
from spikeseq.train.tasks import Classify, Task

RANK_SEED = 1_000_000_007  # what the seeds of two ranks' dropout are apart


class ClassifierModule(L.LightningModule):
    """Train a classifier as a recipe's ``train`` section says; what a batch is and costs is the task's business."""

    def __init__(
        self,
        model: Network,
        settings: TrainSettings,
        seed: int,
        teacher: nn.Module | None = None,
        task: Task | None = None,
        recipe: dict[str, Any] | None = None,
    ):
        super().__init__()
        rnn = recurrent_of(model)
        own = rnn.kind if rnn else None
        if settings.progressive_time_steps and not isinstance(own, QuantizedKind | LevelGatedKind):
            raise ConfigError(
                "train.progressive_time_steps is set, but the model's layer has no time steps; leave it out"
            )
        wanted = settings.spike_penalty or settings.packet_penalty or settings.target_spike_rate
        fires = any(isinstance(m, Neurons) for m in model.modules())
        if wanted and not fires and not (own and (own.spikes or isinstance(own, QuantizedKind))):
            raise ConfigError(
                "train.spike_penalty, packet_penalty or target_spike_rate is set, but the model's layer has no spikes; "
                "leave it out"
            )
        self.model, self.settings, self.seed = model, settings, seed
        self.task = task or Classify()
        self.recipe = recipe  # the whole of it as plain values, for the checkpoint
        self.clock = Clock()
        self.architecture = repr(model)  # before a schedule changes T
        self._teacher = [teacher.eval()] if teacher is not None else []  # in a list: no part of the checkpoint
        self._own_time_steps = own.time_steps if own else 1  # a progressive schedule changes the model's for a while
        self.history: list[dict[str, float]] = []
        self.meter = self.task.meter()
        self.budget = SpikeBudget(settings.target_spike_rate) if settings.target_spike_rate else None
        self.longest: int | None = None  # elements of a training sequence; set by the length curriculum
        self._thresholds = 1.0  # factor that the gate schedule has applied so far

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve and the schedule's state with the weights."""
        checkpoint["spikeseq"] = {
            "history": self.history, "thresholds": self._thresholds, "architecture": self.architecture,
            "budget": self.budget.state() if self.budget else {}, "processes": ranks().processes,
            "clock": self.clock.state(), **({"recipe": self.recipe} if self.recipe is not None else {}),
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a kept curve. Raises ConfigError where other processes than these made it."""
        made, now = checkpoint["spikeseq"].get("processes", 1), ranks().processes
        if made != now:
            raise ConfigError(
                f"last.ckpt was trained by {made} process(es), this is a job of {now}, whose batches are others: start "
                f"{made}, or choose another folder"
            )
        history = checkpoint["spikeseq"]["history"]
        # older checkpoints, all of accuracy, lack the score
        self.history = [row if "score" in row else {"score": row["valid_accuracy"], **row} for row in history]
        self._thresholds = checkpoint["spikeseq"]["thresholds"]
        if self.budget:
            self.budget.load(checkpoint["spikeseq"]["budget"])
        if "clock" in checkpoint["spikeseq"]:  # older checkpoints lack it
            self.clock.load(checkpoint["spikeseq"]["clock"])

    def on_fit_start(self) -> None:
        """Take the teacher to the device, which Lightning does for the module's own parts alone."""
        for teacher in self._teacher:
            teacher.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Draw dropout from seed, epoch and rank, so that a resumed run repeats an unbroken one."""
        torch.manual_seed(self.seed * 100_003 + self.current_epoch + ranks().rank * RANK_SEED)
        self._set_time_steps(self._stage())
        self._sharpen()
        self._loss = [0.0, 0.0]

    def training_step(self, batch: Any, _: int) -> Tensor:
        """The task's loss, distillation and penalties."""
        s = self.settings
        if self.longest is not None:
            batch = self.task.cut(batch, self.longest)
        with compiling(s.compile), observing() as seen:
            logits = self.task.logits(self.model, batch).float()  # of bfloat16: a loss in full precision
        own = weights(self.task.count(batch), self.task.elements(batch))
        loss = own.items * self.task.loss(logits, batch, s.label_smoothing)
        if s.distillation:
            with torch.no_grad():
                target = self.task.logits(self._teacher[0], batch)
            distance = own.elements * self.task.distill(logits, target, batch, s.temperature)
            loss = (1 - s.distillation) * loss + s.distillation * distance
        if s.spike_penalty:
            loss = loss + own.elements * s.spike_penalty * spike_rate(seen)
        if self.budget:
            rate = spike_rate(seen)
            loss = loss + own.elements * self.budget.term(rate, own.over_all(float(rate.detach())))
        if s.packet_penalty:
            loss = loss + own.elements * s.packet_penalty * packet_excess(seen)
        self._loss = [self._loss[0] + float(loss.detach()) * own.size, self._loss[1] + own.size]
        return loss

    def on_validation_epoch_start(self) -> None:
        """Validate at the model's own T, whatever the stage of a progressive schedule."""
        self._set_time_steps(None)
        self.meter = self.task.meter()
        if self.budget:
            self.budget.start(self.model)

    def validation_step(self, batch: Any, _: int) -> None:
        """Measure the outputs, and spikes where they are on a budget."""
        if self.budget:
            elements = self.task.elements(batch)
            self.budget.measure(self.model, lambda model: self.task.logits(model, batch), elements)
        with compiling(self.settings.compile_evaluation):
            self.meter.add(self.task.logits(self.model, batch), batch)

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's metrics and loss, those of all processes together, and keep them in the curve."""
        if ranks().processes > 1:
            self.meter.take(total(self.meter.tally()))
        metrics = {f"valid_{name}": value for name, value in self.meter.result().items()}
        self.log_dict(metrics, prog_bar=True)
        if self.trainer.sanity_checking or self.trainer.state.fn != "fit":
            return
        summed, count = total(self._loss)
        loss = summed / max(1, count)
        self.log("train_loss", loss, prog_bar=True)
        row = {"epoch": self.current_epoch, "train_loss": loss, **metrics}
        score = self.meter.score()
        if self.budget:
            row["spike_rate"] = self.budget.finish()
            score = self.budget.score(score, row["spike_rate"])
        if self.current_epoch + 1 <= self.settings.select_from * self.settings.epochs:
            score -= 1  # below every epoch that may be chosen, and kept only until there is one
        self.log("valid_score", score)
        self.history.append({**row, "score": score})

    def configure_optimizers(self) -> Any:
        """AdamW, weight decay on matrices only; warm-up, then cosine to zero or constant."""
        s = self.settings
        named = list(self.model.named_parameters())
        decayed = [p for n, p in named if p.dim() > 1 and "threshold" not in n and "leak" not in n]
        plain = [p for _, p in named if all(p is not d for d in decayed)]
        groups = [{"params": decayed, "weight_decay": s.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=s.learning_rate)
        total = max(1, int(self.trainer.estimated_stepping_batches))
        rise = max(1, int(s.warmup * total))

        def factor(step: int) -> float:
            fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))) if s.schedule == "cosine" else 1.0
            return min(1.0, (step + 1) / rise) * fall

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _stage(self) -> int | None:
        """T of the present epoch in a progressive schedule; None means the model's own."""
        return stage([*self.settings.progressive_time_steps, None], self.current_epoch, self.settings.epochs)

    def _set_time_steps(self, time_steps: int | None) -> None:
        rnn = recurrent_of(self.model)
        if self.settings.progressive_time_steps and rnn is not None:
            rnn.kind = dataclasses.replace(rnn.kind, time_steps=time_steps or self._own_time_steps)  # type: ignore[type-var]

    def _sharpen(self) -> None:
        """Multiply thresholds so that after ``epochs`` they have been multiplied by ``factor``."""
        schedule = self.settings.gate_schedule
        if not schedule.epochs:
            return
        goal = schedule.factor ** min(1.0, self.current_epoch / schedule.epochs)
        with torch.no_grad():
            for name, value in self.model.named_parameters():
                if "threshold" in name:
                    value.mul_(goal / self._thresholds)
        self._thresholds = goal
