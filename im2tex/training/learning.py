"""`Learner`: how a network is trained, validated and optimised."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from im2tex.data.dataset import Batch
from im2tex.decoders import SearchOptions
from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics import FormulaMetrics, Perplexity
from im2tex.evaluation.split_evaluator import judged
from im2tex.model.network import Network
from im2tex.model.unused_options import idle_options
from im2tex.training.optim import OptimizerRecipe, ScheduleRecipe

CLIPPING = "set model.clip_norm, not trainer.gradient_clip_val."
"""What to do about Lightning's own limit of the gradient."""


@dataclass(frozen=True, slots=True)
class Example:
    """A validation sample to look at: see `callbacks.ValidationPictures`."""

    image: np.ndarray
    gold: Sequence[str]
    prediction: Sequence[str]
    score: float


class Learner(Network):
    """Steps of training and validation, the optimiser and its learning rate.

    Attributes:
        optimizer: settings of the optimiser.
        schedule: settings of the learning rate.
        val_perplexity: of the labels in a validation.
        val_metrics: of its greedy readings.
        validation_examples: some samples of it, to look at.
    """

    optimizer: OptimizerRecipe
    schedule: ScheduleRecipe
    val_perplexity: Perplexity
    val_metrics: FormulaMetrics
    validation_examples: list[Example]
    _boxes_awaited = False

    # ---------------------------------------------------------------- training

    def on_fit_start(self) -> None:
        """Warns of options that do nothing, which came with the weights it goes on from."""
        for sentence in idle_options(self.hparams):
            rank_zero_warn(sentence)

    def on_train_start(self) -> None:
        """Looks for boxes in the first batch, where the decoder learns from them."""
        self._boxes_awaited = bool(self.ready.grounded)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Makes the randomness of a step (dropout, sampling) depend on the step alone."""
        data = getattr(self.trainer, "datamodule", None)
        seed = 0 if data is None else data.hparams["seed"]
        state = f"{seed} {self.global_step} {self.global_rank}"
        torch.manual_seed(zlib.crc32(state.encode()))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch of training."""
        if self._boxes_awaited:
            self._boxes_awaited = False
            self._say_if_no_boxes(batch)
        loss, logs = self.ready.loss(self.encode(batch), self.targets(batch))
        size = len(batch.keys)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=size)
        for name, value in logs.items():
            if name not in ("nll", "tokens"):
                self.log(f"train/{name}", value, batch_size=size)
        if "nll" in logs:
            self.log("train/nll", logs["nll"] / logs["tokens"], prog_bar=True, batch_size=size)
        return loss

    def _say_if_no_boxes(self, batch: Batch) -> None:
        """Warns of losses that learn from where symbols lie, if a batch says it of none."""
        if batch.boxes is not None and (batch.boxes[:, :, 2] >= batch.boxes[:, :, 0]).any():
            return
        who = " and ".join(self.ready.grounded)
        rank_zero_warn(
            f"{who} would learn from where symbols lie, and the first batch says that of none. "
            "Only inks whose strokes are assigned to symbols say it. If none of your data do, "
            "nothing is learnt from it: set the weights of these losses to 0."
        )

    # ---------------------------------------------------------------- validation

    def on_validation_epoch_start(self) -> None:
        """Forgets the previous validation's examples."""
        self.validation_examples = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch of validation: likelihood, and greedy reading."""
        grid = self.encode(batch)
        _, logs = self.ready.loss(grid, self.targets(batch))
        if "nll" in logs:
            self.val_perplexity.update(logs["nll"], logs["tokens"])
        greedy = SearchOptions(beam_size=1, max_length=self.search_options.max_length)
        readings = [found[0] for found in self.ready.search(grid, greedy)]
        predictions = [self.words.decode(reading.tokens) for reading in readings]
        self.val_metrics.update(judged(predictions, batch), batch.tokens)
        # Taken from both ends of the order of sizes: long formulas first, then short ones.
        room = self.hparams["examples"] - len(self.validation_examples)
        for k in range(min(room, max(1, self.hparams["examples"] // 4), len(batch.keys))):
            height, width = batch.sizes[k].tolist()
            self.validation_examples.append(
                Example(
                    batch.images[k, 0, :height, :width].cpu().numpy(),
                    batch.tokens[k],
                    predictions[k],
                    readings[k].score,
                )
            )

    def on_validation_epoch_end(self) -> None:
        """Logs the scores of a validation, and moves a learning rate that follows them."""
        perplexity = self.val_perplexity.compute()
        self.log("val/perplexity", perplexity, prog_bar=True)
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(perplexity)
        values = self.val_metrics.compute()
        self.log_dict({name: v for name, v in values.items() if name != "val/token_exact"})
        self.log("val/token_exact", values["val/token_exact"], prog_bar=True)
        self.val_perplexity.reset()
        self.val_metrics.reset()

    # ---------------------------------------------------------------- optimisation

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule that the hyper-parameters name."""
        optimizer = self.optimizer.build(self)
        total = float(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.schedule.build(optimizer, total)}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Moves a learning rate by the step; not one that follows the validation.

        Lightning would move that one after the checkpoint of the validation was written, so that
        a run resumed from it had missed a fall, and at every epoch, with a stale score where
        there was no validation. `on_validation_epoch_end` does it instead.
        """
        if metric is None:
            super().lr_scheduler_step(scheduler, metric)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient's norm at `clip_norm`, and logs what it was."""
        if gradient_clip_val is not None:
            raise Im2TexError(CLIPPING)
        limit = self.hparams["clip_norm"] or float("inf")
        norm = nn.utils.clip_grad_norm_(self.parameters(), limit)
        self.log("train/grad_norm", norm)
