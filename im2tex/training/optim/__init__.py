"""Optimisers and learning-rate schedules by name."""

from im2tex.training.optim.optimizers import OPTIMIZERS, OptimizerRecipe
from im2tex.training.optim.schedules import SCHEDULES, ScheduleRecipe

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerRecipe", "ScheduleRecipe"]
