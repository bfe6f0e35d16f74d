"""Lightning callbacks: logging, checkpoints and files of a run, weight averaging."""

from im2tex.training.callbacks.console_logger import ConsoleLogger
from im2tex.training.callbacks.ema import EMA
from im2tex.training.callbacks.images import AttentionImages, ValidationImages
from im2tex.training.callbacks.run_config import SaveRunConfig
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.training.callbacks.terminal_progress_bar import TerminalProgressBar

__all__ = [
    "EMA",
    "AttentionImages",
    "ConsoleLogger",
    "SaveRunConfig",
    "TerminalProgressBar",
    "ValidationImages",
    "run_folder",
]
