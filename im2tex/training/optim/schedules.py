"""Learning-rate schedules by name, with their settings."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from im2tex.errors import Im2TexError
from im2tex.registry import Registry
from im2tex.utils.checks import check_at_least


class SchedulerFactory(ABC):
    """Builds a learning-rate schedule from its settings.

    Example:
        >>> SCHEDULES.build("cosine", {"warmup_steps": 100}).build(optimizer, total_steps=5000)
    """

    @abstractmethod
    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """Builds the schedule as Lightning's `lr_scheduler` dictionary.

        Args:
            optimizer: the optimiser to schedule.
            total_steps: optimiser steps of the whole run; infinite if unknown.
        """


SCHEDULES: Registry[SchedulerFactory] = Registry(
    "schedule", group="im2tex.schedules", builtin=("im2tex.training.optim.schedules",)
)


@SCHEDULES.register("constant")
class Constant(SchedulerFactory):
    """A linear warm-up, then the constant rate of the optimiser.

    Args:
        warmup_steps: steps of the warm-up.

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(self, warmup_steps: int = 0) -> None:
        check_at_least(0, warmup_steps=warmup_steps)
        self.warmup_steps = warmup_steps

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`."""
        warmup = self.warmup_steps
        return _per_step(LambdaLR(optimizer, lambda step: _warmup_factor(step, warmup)))


@SCHEDULES.register("cosine")
class Cosine(SchedulerFactory):
    r"""A linear warm-up, then a cosine decay from the peak rate to a fraction of it.

    With m = `min_lr_ratio` and p the fraction of steps done after the warm-up, the rate is

        lr * (m + (1 - m) * (1 + cos(pi * p)) / 2)

    Args:
        warmup_steps: steps of the warm-up; at most half of the run is used.
        min_lr_ratio: final rate divided by the peak rate.
        total_steps: steps until the final rate; the length of the run if not given.

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(
        self,
        warmup_steps: int = 500,
        min_lr_ratio: float = 0.01,
        total_steps: int | None = None,
    ) -> None:
        if not 0 <= min_lr_ratio <= 1:
            raise ValueError(f"min_lr_ratio must be in [0, 1], got {min_lr_ratio}")
        check_at_least(0, warmup_steps=warmup_steps)
        if total_steps is not None:
            check_at_least(1, total_steps=total_steps)
        self.warmup_steps = warmup_steps
        self.min_lr_ratio = min_lr_ratio
        self.total_steps = total_steps

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`.

        Raises:
            Im2TexError: if the length of the run is unknown.
        """
        total = self.total_steps or total_steps
        if not math.isfinite(total):
            raise Im2TexError(
                "schedule 'cosine' needs the length of the run: set trainer.max_epochs or "
                "trainer.max_steps, or model.schedule_args.total_steps."
            )
        warmup, ratio = min(self.warmup_steps, int(total) // 2), self.min_lr_ratio

        def factor(step: int) -> float:
            done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
            decay = ratio + (1 - ratio) * (1 + math.cos(math.pi * done)) / 2
            return _warmup_factor(step, warmup) * decay

        return _per_step(LambdaLR(optimizer, factor))


@SCHEDULES.register("plateau")
class Plateau(SchedulerFactory):
    """The schedule of the paper: halves the rate if the validation perplexity does not decrease.

    Args:
        factor: the rate is multiplied by it.
        patience: number of validations without a decrease before the rate is reduced.
        min_lr: lowest rate.

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(self, factor: float = 0.5, patience: int = 0, min_lr: float = 1e-5) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"factor must be in (0, 1), got {factor}")
        check_at_least(0, patience=patience, min_lr=min_lr)
        self.factor = factor
        self.patience = patience
        self.min_lr = min_lr

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`."""
        scheduler = ReduceLROnPlateau(
            optimizer,
            factor=self.factor,
            patience=self.patience,
            threshold=0.0,
            min_lr=self.min_lr,
        )
        # `Im2Tex` steps the scheduler after each validation; with this frequency Lightning never
        # does.
        return {"scheduler": scheduler, "monitor": "val/perplexity", "frequency": sys.maxsize}


def _warmup_factor(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def _per_step(scheduler: LambdaLR) -> dict[str, Any]:
    return {"scheduler": scheduler, "interval": "step"}
