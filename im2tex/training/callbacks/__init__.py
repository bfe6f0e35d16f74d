"""Lightning callbacks: what a run writes down, shows and averages."""

from im2tex.training.callbacks.attention_pictures import AttentionPictures
from im2tex.training.callbacks.ema import EMA
from im2tex.training.callbacks.learning_rate import LogLearningRate
from im2tex.training.callbacks.log_line import LogLine
from im2tex.training.callbacks.progress import Progress
from im2tex.training.callbacks.run_config import SaveRunConfig
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.training.callbacks.validation_pictures import ValidationPictures

__all__ = [
    "EMA",
    "AttentionPictures",
    "LogLearningRate",
    "LogLine",
    "Progress",
    "SaveRunConfig",
    "ValidationPictures",
    "run_folder",
]
