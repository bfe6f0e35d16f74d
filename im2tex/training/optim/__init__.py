"""Optimisers and learning-rate schedules by name."""

from im2tex.training.optim.optimizers import OPTIMIZERS, OptimizerFactory
from im2tex.training.optim.schedules import SCHEDULES, SchedulerFactory

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerFactory", "SchedulerFactory"]
