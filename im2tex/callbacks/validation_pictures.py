"""A sheet of pictures with gold and predicted LaTeX, at each validation."""

from __future__ import annotations

import warnings
from itertools import islice

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import WandbLogger

from im2tex.callbacks.run_folder import run_folder
from im2tex.errors import Im2TexError
from im2tex.report.pictures import save_sheet


class ValidationPictures(Callback):
    """Saves `pictures/step-0001200.png` in the run's folder, and logs it to W&B where that is on.

    Shows what the module left in its attribute `validation_examples`, a list of objects as in
    `report.pictures.Example`, of the first process. A module without one, or with an empty one,
    gives no picture. A picture that cannot be written is a warning, never the end of a training.

    Args:
        limit: examples on a sheet, at most.

    Raises:
        ValueError: for a limit below 1.
    """

    def __init__(self, limit: int = 8) -> None:
        if limit < 1:
            raise ValueError(f"limit is a number of examples, at least 1; got {limit}.")
        self.limit = limit

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the sheet."""
        folder = run_folder(trainer)
        if trainer.sanity_checking or folder is None or not trainer.is_global_zero:
            return
        examples = list(islice(getattr(pl_module, "validation_examples", None) or (), self.limit))
        if not examples:
            return
        step = trainer.global_step
        path = folder / "pictures" / f"step-{step:07d}.png"
        try:
            sheet = save_sheet(path, examples, f"step {step}")
        except Im2TexError as error:
            warnings.warn(f"no validation picture: {error}", stacklevel=2)
            return
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("val/pictures", [sheet], step=step)
