"""A callback that notes the speed of a fit twice a second, for `gpu_quarter.py`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

VARIABLE = "IM2TEX_METER"
"""Environment variable that names the file."""

LIMIT = "IM2TEX_METER_SECONDS"
"""Environment variable with the seconds after the first step at which a probe ends."""

_LEAST_STEPS = 5  # of a probe


class Speed(NamedTuple):
    """The speed of a fit.

    Attributes:
        steps_per_s: optimizer steps a second.
        images_per_s: images a second.
        waiting: fraction of the time that lies between the end of a step and the start of the next,
            when a fit waits for data.
    """

    steps_per_s: float
    images_per_s: float
    waiting: float


class Meter(Callback):
    """Appends a line of JSON each half second to the file that `IM2TEX_METER` names.

    With `IM2TEX_METER_SECONDS`, it ends the fit after this time.

    A line has the totals since the first step: `seconds` and `waited`, without validations, `steps`
    and `images`.
    """

    def __init__(self) -> None:
        self._file = Path(os.environ[VARIABLE]).open("a", encoding="utf-8")  # noqa: SIM115
        self._totals = {"seconds": 0.0, "waited": 0.0, "steps": 0, "images": 0}
        self._limit = float(os.environ.get(LIMIT, "inf"))
        self._written = 0.0
        self._started = self._ended = 0.0  # of a step; 0 if a validation lies between

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Adds the time since the last step."""
        self._started = time.monotonic()
        if self._ended:
            self._add(self._started - self._ended, waited=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds the time of the step."""
        first = not self._totals["steps"]
        self._ended = time.monotonic()
        if not first:
            self._add(self._ended - self._started)
            self._totals["images"] += len(batch.keys)
        self._totals["steps"] += 1
        if self._totals["steps"] > _LEAST_STEPS and self._totals["seconds"] > self._limit:
            trainer.should_stop = True
        if self._ended > self._written + 0.5 or trainer.should_stop:
            self._written = self._ended
            print(json.dumps(self._totals), file=self._file, flush=True)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves out the time of the validation."""
        self._ended = 0.0

    def _add(self, seconds: float, waited: bool = False) -> None:
        self._totals["seconds"] += seconds
        if waited:
            self._totals["waited"] += seconds


def read_speed(path: Path) -> Speed | None:
    """The speed in the last two thirds of a fit; None if it was too short to tell."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    if len(rows) < 2:
        return None
    last = rows[-1]
    first = [row for row in rows[:-1] if row["seconds"] <= last["seconds"] / 3][-1]
    gained = {name: last[name] - first[name] for name in last}
    return Speed(
        gained["steps"] / gained["seconds"],
        gained["images"] / gained["seconds"],
        gained["waited"] / gained["seconds"],
    )
