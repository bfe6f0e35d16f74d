"""Learning-rate schedules: a name, its settings, and how they apply to an optimiser."""

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
    """Settings of a schedule, ready to be applied to an optimiser."""

    @abstractmethod
    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """Lightning's `lr_scheduler` dictionary.

        Args:
            optimizer: whose learning rate is moved.
            total_steps: optimiser steps of the whole run, infinite if not known.
        """


SCHEDULES: Registry[SchedulerFactory] = Registry(
    "schedule", group="im2tex.schedules", builtin=("im2tex.training.optim.schedules",)
)


@SCHEDULES.register("constant")
class Constant(SchedulerFactory):
    """A linear warm-up, then a constant rate.

    Args:
        warmup_steps: steps of the warm-up.

    Raises:
        ValueError: if there are less than none.
    """

    def __init__(self, warmup_steps: int = 0) -> None:
        check_at_least(0, warmup_steps=warmup_steps)
        self.warmup_steps = warmup_steps

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`."""
        warmup = self.warmup_steps
        return _by_step(LambdaLR(optimizer, lambda step: _warm(step, warmup)))


@SCHEDULES.register("cosine")
class Cosine(SchedulerFactory):
    """A linear warm-up, then half a cosine down to a share of the peak rate.

    Args:
        warmup_steps: steps of the warm-up, at most half of the run.
        floor: lowest rate, as a share of the peak.
        total_steps: steps until the floor; the length of the run if not given.

    Raises:
        ValueError: if the floor is no share, or a number of steps is too small.
    """

    def __init__(
        self, warmup_steps: int = 500, floor: float = 0.01, total_steps: int | None = None
    ) -> None:
        if not 0 <= floor <= 1:
            raise ValueError(f"floor is a share of the peak rate, 0 to 1; got {floor}")
        check_at_least(0, warmup_steps=warmup_steps)
        if total_steps is not None:
            check_at_least(1, total_steps=total_steps)
        self.warmup_steps = warmup_steps
        self.floor = floor
        self.total_steps = total_steps

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`.

        Raises:
            Im2TexError: if the run has no known length.
        """
        total = self.total_steps or total_steps
        if not math.isfinite(total):
            raise Im2TexError(
                "schedule 'cosine' needs the length of the run: set trainer.max_epochs or "
                "trainer.max_steps, or model.schedule_args.total_steps."
            )
        warmup, floor = min(self.warmup_steps, int(total) // 2), self.floor

        def rate(step: int) -> float:
            done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
            return _warm(step, warmup) * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)

        return _by_step(LambdaLR(optimizer, rate))


@SCHEDULES.register("plateau")
class Plateau(SchedulerFactory):
    """The paper's: the rate is halved whenever validation perplexity does not fall.

    Args:
        factor: what the rate is multiplied by.
        patience: validations without a fall that are let pass.
        floor: lowest rate.

    Raises:
        ValueError: if the factor does not lower the rate, or the patience or the floor is
            negative.
    """

    def __init__(self, factor: float = 0.5, patience: int = 0, floor: float = 1e-5) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"factor lowers the rate, so it lies between 0 and 1; got {factor}")
        check_at_least(0, patience=patience, floor=floor)
        self.factor = factor
        self.patience = patience
        self.floor = floor

    def build(self, optimizer: torch.optim.Optimizer, total_steps: float) -> dict[str, Any]:
        """See `SchedulerFactory.build`."""
        scheduler = ReduceLROnPlateau(
            optimizer,
            factor=self.factor,
            patience=self.patience,
            threshold=0.0,
            min_lr=self.floor,
        )
        # The module moves it after each validation. Lightning would want a score at the end of
        # every epoch, validated or not: it is told to ask for none.
        return {"scheduler": scheduler, "monitor": "val/perplexity", "frequency": sys.maxsize}


def _warm(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def _by_step(scheduler: LambdaLR) -> dict[str, Any]:
    return {"scheduler": scheduler, "interval": "step"}
