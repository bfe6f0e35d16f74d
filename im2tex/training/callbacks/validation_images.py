"""A sheet of pictures with gold and predicted LaTeX, at each validation."""

from __future__ import annotations

from itertools import islice

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.training.callbacks.image_logger import ImageLogger
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.visualization.example_sheet import draw_examples


class ValidationImages(Callback):
    """Saves `pictures/step-0001200.png` in the run's folder, and logs it to W&B and TensorBoard.

    Shows the module's attribute `validation_examples`, a list of objects as in
    `visualization.example_sheet.Example`, of the first process. A module without one, or with an
    empty one, gives no picture. A picture that cannot be written is a warning, see `ImageLogger`.

    Args:
        limit: examples on a sheet, at most.

    Raises:
        ValueError: for a limit below 1.
    """

    def __init__(self, limit: int = 8) -> None:
        if limit < 1:
            raise ValueError(f"limit is a number of examples, at least 1; got {limit}.")
        self.limit = limit
        self._pictures = ImageLogger("pictures")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the sheet."""
        folder = run_folder(trainer)
        if trainer.sanity_checking or folder is None or not trainer.is_global_zero:
            return
        examples = list(islice(getattr(pl_module, "validation_examples", None) or (), self.limit))
        if examples:
            sheet = draw_examples(examples, f"step {trainer.global_step}")
            self._pictures.log(sheet, folder, trainer)
