"""One plain line an epoch, so that the log of a run in the background can be read."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from im2tex.evaluation.reports.table import format_value, ordered

_DETAILS = ("val/token_within_", "val/expression_rate_", "val/structure_rate")


class ConsoleLogger(Callback):
    """Prints a line at the end of each epoch, and of each validation within one.

    For example (epochs count from 0, as in the names of checkpoints):

        epoch 2 (3/12)  step 1326  loss 0.8134  val expression_rate 31.50 %, token_exact 31.25 %,
        perplexity 1.482, token_error_rate 20.10 %, bleu 55.02  lr 8.1e-04  grad 1.92
        68.3 images/s  0:04:31

    on one line. The loss is the mean over the epoch's batches so far (in this process, on the
    first rank), the gradient's norm that of the last step, the speed that of training alone, on
    all ranks. Where standard output is no terminal, and so without a progress bar, it also says
    every so many seconds how far an epoch, a validation or a test has come.

    Args:
        seconds: between two lines within an epoch, a validation or a test; 0 for none.
    """

    _loss: Tensor | float  # sum over the epoch's batches, on their device
    _batches: int
    _images: int

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._begun = self._said = time.monotonic()
        self._start_epoch()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._begun = self._said = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets the epoch before."""
        self._start_epoch()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Counts a batch; no synchronisation with the device."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            # Lightning gives the loss divided by the batches that a step accumulates.
            self._loss = self._loss + loss.detach().float() * trainer.accumulate_grad_batches
            self._batches += 1
        self._images += _size(batch)
        if not trainer.is_last_batch and self._due():
            self._say(trainer, f"{_far(batch_idx, trainer.num_training_batches)} batches")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock of training."""
        self._paused = time.monotonic()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *rest: Any
    ) -> None:
        """Says how far a validation is, when it is time."""
        self._evaluating(trainer, "validation", trainer.num_val_batches, *rest)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Says how far a test is, when it is time."""
        self._evaluating(trainer, "test", trainer.num_test_batches, *rest)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *rest: Any
    ) -> None:
        """Says how far a prediction is, when it is time."""
        self._evaluating(trainer, "predict", trainer.num_predict_batches, *rest)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line, but for a validation at an epoch's end: there it comes with the epoch."""
        self._evaluation += time.monotonic() - self._paused
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        self._validated = True
        if not trainer.is_last_batch:
            self._say(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the epoch's line."""
        self._say(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Says how long it took and where the best checkpoint lies."""
        line = f"fit ended after step {trainer.global_step}, {_clock(self._begun)}"
        checkpoint = trainer.checkpoint_callback
        if isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_path:
            line += f"; best checkpoint: {checkpoint.best_model_path}"
        if trainer.is_global_zero:
            print(line, flush=True)  # the bar is closed by now, and would swallow it

    def _start_epoch(self) -> None:
        self._epoch_begun = time.monotonic()
        self._evaluation = 0.0  # seconds of this epoch spent on validation
        self._paused = self._epoch_begun
        self._loss = 0.0
        self._batches = 0
        self._images = 0
        self._validated = False

    def _due(self) -> bool:
        if not self.seconds or sys.stdout.isatty():
            return False
        if time.monotonic() - self._said < self.seconds:
            return False
        self._said = time.monotonic()
        return True

    def _evaluating(self, trainer: Trainer, what: str, totals: Any, *rest: Any) -> None:
        if trainer.sanity_checking or not self._due():
            return
        _, _, batch_idx, *loader = rest
        number = loader[0] if loader else 0
        total = totals[number] if isinstance(totals, list) else totals
        place = f" of split {number + 1}/{len(totals)}" if len(totals) > 1 else ""
        _print(trainer, f"  {what}: {_far(batch_idx, total)} batches{place}")

    def _say(self, trainer: Trainer, far: str = "") -> None:
        """Prints a line of training; `far` says how much of the epoch, within one."""
        metrics = trainer.callback_metrics
        last = trainer.max_epochs
        of = f" ({trainer.current_epoch + 1}/{last})" if last is not None and last > 0 else ""
        parts = [f"epoch {trainer.current_epoch}{of}", f"step {trainer.global_step}"]
        if far:
            parts.insert(1, far)
        if self._batches:
            parts.append(f"loss {float(self._loss) / self._batches:.4f}")
        if self._validated:
            parts += _validation({name: float(value) for name, value in metrics.items()})
            self._validated = False
        if trainer.optimizers:
            parts.append(f"lr {trainer.optimizers[0].param_groups[0]['lr']:.2g}")
        if "train/grad_norm" in metrics:
            parts.append(f"grad {float(metrics['train/grad_norm']):.2f}")
        seconds = time.monotonic() - self._epoch_begun - self._evaluation
        if self._images and seconds > 0:
            parts.append(f"{self._images * trainer.world_size / seconds:.1f} images/s")
        parts.append(_clock(self._begun))
        self._said = time.monotonic()
        _print(trainer, ("  " if far else "") + "  ".join(parts))


def _validation(metrics: dict[str, float]) -> list[str]:
    """The validation's figures, as one part of a line; empty where there is none."""
    found = {
        name.removeprefix("val/"): value
        for name, value in metrics.items()
        # The whole would fill three lines; it is in the logger's files.
        if name.startswith("val/") and not name.startswith(_DETAILS)
    }
    figures = [f"{name} {format_value(name, found[name])}" for name in ordered(found)]
    return [f"val {', '.join(figures)}"] if figures else []


def _print(trainer: Trainer, line: str) -> None:
    if not trainer.is_global_zero:
        return
    bar = trainer.progress_bar_callback
    if bar is not None and getattr(bar, "is_enabled", True) and sys.stdout.isatty():
        bar.print(line)  # above the bar, not through it
    else:
        print(line, flush=True)


def _size(batch: Any) -> int:
    images = getattr(batch, "images", None)
    return len(images) if isinstance(images, Tensor) else 0


def _far(batch_idx: int, total: float) -> str:
    return f"{batch_idx + 1}/{'?' if math.isinf(total) else int(total)}"


def _clock(since: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
