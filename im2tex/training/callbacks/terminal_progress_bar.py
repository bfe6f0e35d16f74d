"""Lightning's tqdm bar, for terminals only."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class TerminalProgressBar(TQDMProgressBar):
    """A progress bar that is disabled if standard output is no terminal.

    In a file or a pipe a bar is one endless line; `ConsoleLogger` prints plain lines there. The bar
    is refreshed by time and not by batch, because each refresh waits for the device.

    Args:
        seconds: time between two refreshes.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        super().__init__()
        self.seconds = seconds
        self._last_refresh = -float("inf")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Disables the bar if standard output is no terminal."""
        super().setup(trainer, pl_module, stage)
        if not sys.stdout.isatty():
            self.disable()

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The metrics beside the bar, without the version number."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def _should_update(self, current: int, total: Any) -> bool:
        now = time.monotonic()
        if not self.is_enabled or (current != total and now - self._last_refresh < self.seconds):
            return False
        self._last_refresh = now
        return True
