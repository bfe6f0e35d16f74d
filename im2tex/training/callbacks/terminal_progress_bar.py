"""Lightning's tqdm bar, refreshed by the clock, and silent where nobody watches."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class TerminalProgressBar(TQDMProgressBar):
    """A progress bar for terminals.

    In a log file or a pipe a bar is one endless line, so it is off there: `ConsoleLogger` writes
    plain lines instead. On a terminal it is refreshed every few seconds, not every batch,
    because each refresh waits for the device.

    Args:
        seconds: between two refreshes.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        super().__init__()
        self.seconds = seconds
        self._shown = -float("inf")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Turns itself off where standard output is no terminal."""
        super().setup(trainer, pl_module, stage)
        if not sys.stdout.isatty():
            self.disable()

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What stands behind the bar: the metrics without the run's number."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def _should_update(self, current: int, total: Any) -> bool:
        now = time.monotonic()
        if not self.is_enabled or (current != total and now - self._shown < self.seconds):
            return False
        self._shown = now
        return True
