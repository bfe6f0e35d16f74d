"""Lightning callbacks: what a run writes down, shows and averages."""

from im2tex.training.callbacks.attention_images import AttentionImages
from im2tex.training.callbacks.console_logger import ConsoleLogger
from im2tex.training.callbacks.ema import EMA
from im2tex.training.callbacks.learning_rate import LogLearningRate
from im2tex.training.callbacks.run_config import SaveRunConfig
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.training.callbacks.terminal_progress_bar import TerminalProgressBar
from im2tex.training.callbacks.validation_images import ValidationImages

__all__ = [
    "EMA",
    "AttentionImages",
    "ConsoleLogger",
    "LogLearningRate",
    "SaveRunConfig",
    "TerminalProgressBar",
    "ValidationImages",
    "run_folder",
]
