"""Writes images of a fit to the run's folder, W&B and TensorBoard."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image

from im2tex.training.callbacks.run_folder import run_folder
from im2tex.utils.files import error_reason
from im2tex.utils.png import save_png


class ImageLogger:
    """Saves images as `NAME/step-0001200.png`, and logs them as `val/NAME` to W&B and TensorBoard.

    An image that cannot be saved or logged is a warning, not an error: a full disk or an
    unreachable server does not end a fit. Each destination warns once, and is tried again with the
    next image.

    Args:
        name: subfolder of the run's folder.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._failed: set[str] = set()

    def folder(self, trainer: Trainer) -> Path | None:
        """The run's folder if this process logs an image now, else None; see `run_folder`."""
        folder = run_folder(trainer)  # called by every process
        return folder if trainer.is_global_zero and not trainer.sanity_checking else None

    def log(self, image: Image.Image, folder: Path, trainer: Trainer) -> None:
        """Writes an image to all destinations.

        Args:
            image: the image.
            folder: the run's folder.
            trainer: provides the step and the loggers.
        """
        step = trainer.global_step
        path = folder / self.name / f"step-{step:07d}.png"
        self._attempt("the run's folder", partial(save_png, path, image))
        for logger in trainer.loggers:
            self._attempt(type(logger).__name__, partial(self._log, logger, image, step))

    def _log(self, logger: Logger, image: Image.Image, step: int) -> None:
        tag = f"val/{self.name}"
        if isinstance(logger, WandbLogger):
            logger.log_image(tag, [image], step=step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(tag, np.asarray(image), step, dataformats="HWC")

    def _attempt(self, destination: str, write: Callable[[], None]) -> None:
        try:
            write()
        except Exception as error:  # a logger's client may raise anything
            if destination not in self._failed:
                self._failed.add(destination)
                warnings.warn(
                    f"an image of {self.name}/ could not be written to {destination}: "
                    f"{error_reason(error)}. The fit continues.",
                    stacklevel=4,
                )
