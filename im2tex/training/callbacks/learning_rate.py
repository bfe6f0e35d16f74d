"""The learning rate, among the logged metrics."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer


class LogLearningRate(Callback):
    """Logs `train/lr`, the rate of each optimiser step, in the row of the step's other metrics.

    Lightning's `LearningRateMonitor` writes a row of its own, under a name that changes with the
    optimiser, and cannot run without a logger.
    """

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Logs the rate that the step is about to use."""
        pl_module.log("train/lr", optimizer.param_groups[0]["lr"])
