"""Where the pictures of a running fit go: the run's own folder, and the loggers that take them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image

from im2tex.utils.png import save_png


class ImageLogger:
    """Saves images as `NAME/step-0001200.png`, and logs them as `val/NAME` to W&B and TensorBoard.

    A fit of many hours does not end for a picture: a full disk, or W&B out of reach, is a warning,
    once for each of these places, and the next picture is tried there again.

    Args:
        name: of the kind.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._failed: set[str] = set()

    def log(self, picture: Image.Image, folder: Path, trainer: Trainer) -> None:
        """Puts a picture into all places; for the first process.

        Args:
            picture: what to show.
            folder: the run's own.
            trainer: whose step and loggers these are.
        """
        step = trainer.global_step
        path = folder / self.name / f"step-{step:07d}.png"
        self._attempt("the run's folder", partial(save_png, path, picture))
        for logger in trainer.loggers:
            self._attempt(type(logger).__name__, partial(self._log, logger, picture, step))

    def _log(self, logger: Logger, picture: Image.Image, step: int) -> None:
        tag = f"val/{self.name}"
        if isinstance(logger, WandbLogger):
            logger.log_image(tag, [picture], step=step)
        elif isinstance(logger, TensorBoardLogger):
            pixels = np.asarray(picture)
            logger.experiment.add_image(tag, pixels, step, dataformats="HWC")

    def _attempt(self, place: str, write: Callable[[], None]) -> None:
        try:
            write()
        except Exception as error:  # nobody lists what a logger's client may raise
            if place not in self._failed:
                self._failed.add(place)
                reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
                warnings.warn(
                    f"a picture of {self.name}/ could not be put into {place}: {reason}. "
                    "The fit goes on.",
                    stacklevel=4,
                )
