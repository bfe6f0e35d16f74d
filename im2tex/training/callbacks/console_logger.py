"""Plain lines about a run's progress, for logs of background runs."""

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

_OMITTED_METRICS = ("val/token_within_", "val/expression_rate_", "val/structure_rate")


class ConsoleLogger(Callback):
    """Prints a line at the end of each epoch, and of each validation within an epoch.

    For example, on one line (epochs count from 0, as in names of checkpoints):

        epoch 2 (3/12)  step 1326  loss 0.8134  val expression_rate 31.50 %, token_exact 31.25 %,
        perplexity 1.482, token_error_rate 20.10 %, bleu 55.02  lr 8.1e-04  grad 1.92
        68.3 images/s  0:04:31

    The loss is the mean over the epoch's batches so far on the first process, the gradient norm
    that of the last step, the speed that of training alone on all processes. If standard output is
    no terminal, there is no progress bar, and lines within an epoch, a validation or a test report
    the number of batches.

    Example:
        >>> Trainer(callbacks=[ConsoleLogger(seconds=30)]).fit(model, data)

    Args:
        seconds: time between two lines within an epoch, a validation or a test; 0 for none.
    """

    _loss: Tensor | float  # sum over the epoch's batches, on their device
    _batches: int
    _images: int

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._start = self._last_line = time.monotonic()
        self._reset_epoch()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._start = self._last_line = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resets the sums of the epoch."""
        self._reset_epoch()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up loss and images, without synchronising with the device."""
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor):
            # Lightning divides the loss by the number of accumulated batches.
            self._loss = self._loss + loss.detach().float() * trainer.accumulate_grad_batches
            self._batches += 1
        images = getattr(batch, "images", None)
        self._images += len(images) if isinstance(images, Tensor) else 0
        if not trainer.is_last_batch and self._is_due():
            progress = _format_progress(batch_idx, trainer.num_training_batches)
            self._print_training(trainer, progress)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock of training."""
        self._validation_start = time.monotonic()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *rest: Any
    ) -> None:
        """Prints the progress of a validation if a line is due."""
        self._print_evaluation(trainer, "validation", trainer.num_val_batches, *rest)

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Prints the progress of a test if a line is due."""
        self._print_evaluation(trainer, "test", trainer.num_test_batches, *rest)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *rest: Any
    ) -> None:
        """Prints the progress of a prediction if a line is due."""
        self._print_evaluation(trainer, "predict", trainer.num_predict_batches, *rest)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the line of a validation within an epoch."""
        self._validation_seconds += time.monotonic() - self._validation_start
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        self._has_validated = True
        if not trainer.is_last_batch:
            self._print_training(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the line of the epoch."""
        self._print_training(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the duration of the fit and the best checkpoint, or why there is none."""
        line = f"fit ended after step {trainer.global_step}, {_format_since(self._start)}"
        checkpoint = trainer.checkpoint_callback
        if isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_path:
            line += f"; best checkpoint: {checkpoint.best_model_path}"
        elif isinstance(checkpoint, ModelCheckpoint) and checkpoint.last_model_path:
            names = ("check_val_every_n_epoch", "val_check_interval", "limit_val_batches")
            settings = ", ".join(f"trainer.{name} {getattr(trainer, name)}" for name in names)
            line += (
                f"; no best checkpoint, since the fit had no validation ({settings}); last "
                f"checkpoint: {checkpoint.last_model_path}"
            )
        if trainer.is_global_zero:
            print(line, flush=True)  # not above the bar, which is closed by now

    def _reset_epoch(self) -> None:
        self._epoch_start = self._validation_start = time.monotonic()
        self._validation_seconds = 0.0
        self._loss = 0.0
        self._batches = 0
        self._images = 0
        self._has_validated = False

    def _is_due(self) -> bool:
        """Whether it is time for a line within an epoch; then also starts the next interval."""
        if not self.seconds or sys.stdout.isatty():
            return False
        if time.monotonic() - self._last_line < self.seconds:
            return False
        self._last_line = time.monotonic()
        return True

    def _print_evaluation(
        self,
        trainer: Trainer,
        stage: str,
        totals: list[int | float],
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking or not self._is_due():
            return
        split = f" of split {dataloader_idx + 1}/{len(totals)}" if len(totals) > 1 else ""
        _print_line(
            trainer, f"  {stage}: {_format_progress(batch_idx, totals[dataloader_idx])}{split}"
        )

    def _print_training(self, trainer: Trainer, progress: str = "") -> None:
        """Prints a line of training; `progress` is that of the epoch, for a line within it."""
        metrics = trainer.callback_metrics
        epochs = trainer.max_epochs
        of = f" ({trainer.current_epoch + 1}/{epochs})" if epochs and epochs > 0 else ""
        parts = [f"epoch {trainer.current_epoch}{of}"]
        if progress:
            parts.append(progress)
        parts.append(f"step {trainer.global_step}")
        if self._batches:
            parts.append(f"loss {float(self._loss) / self._batches:.4f}")
        if self._has_validated:
            parts += _format_validation({name: float(value) for name, value in metrics.items()})
            self._has_validated = False
        if trainer.optimizers:
            parts.append(f"lr {trainer.optimizers[0].param_groups[0]['lr']:.2g}")
        if "train/grad_norm" in metrics:
            parts.append(f"grad {float(metrics['train/grad_norm']):.2f}")
        seconds = time.monotonic() - self._epoch_start - self._validation_seconds
        if self._images and seconds > 0:
            parts.append(f"{self._images * trainer.world_size / seconds:.1f} images/s")
        parts.append(_format_since(self._start))
        self._last_line = time.monotonic()
        _print_line(trainer, ("  " if progress else "") + "  ".join(parts))


def _format_validation(metrics: dict[str, float]) -> list[str]:
    """The main metrics of a validation as one part of a line; empty without a validation."""
    values = {
        name.removeprefix("val/"): value
        for name, value in metrics.items()
        if name.startswith("val/") and not name.startswith(_OMITTED_METRICS)
    }
    texts = [f"{name} {format_value(name, values[name])}" for name in ordered(values)]
    return [f"val {', '.join(texts)}"] if texts else []


def _format_progress(batch_idx: int, total: float) -> str:
    return f"{batch_idx + 1}/{'?' if math.isinf(total) else int(total)} batches"


def _format_since(start: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _print_line(trainer: Trainer, line: str) -> None:
    if not trainer.is_global_zero:
        return
    bar = trainer.progress_bar_callback
    if bar is not None and getattr(bar, "is_enabled", True) and sys.stdout.isatty():
        bar.print(line)  # above the bar
    else:
        print(line, flush=True)
