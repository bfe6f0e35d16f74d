"""Where the model looks, as a sheet of strips, at validations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.errors import Im2TexError
from im2tex.training.callbacks.image_logger import ImageLogger
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.training.examples import ValidationExample
from im2tex.training.module import Im2Tex
from im2tex.visualization.attention.predict import predict_with_attention
from im2tex.visualization.attention.strip import attention_sheet


class AttentionImages(Callback):
    """Saves `attention/step-0001200.png` in the run's folder, and logs it to W&B and TensorBoard.

    Reads some of the module's `validation_examples`, from the shortest to the longest, once more,
    greedily, on the first process: two pictures cost less than a batch. A model whose decoder has
    no attention to show gives one warning and no picture, and a sheet that cannot be written is a
    warning, too (see `ImageLogger`). Put it before `EMA` in a list of callbacks, as the command
    does: the sheet then shows the averaged weights, those that were validated and that a checkpoint
    holds.

    In a configuration:

        trainer:
          callbacks:
            - class_path: im2tex.training.callbacks.AttentionImages
              init_args: {every: 5, count: 2}

    Args:
        every: validations from one sheet to the next; the first one has a sheet.
        count: pictures on a sheet, at most.

    Raises:
        ValueError: for a number below 1.
    """

    def __init__(self, every: int = 1, count: int = 2) -> None:
        if every < 1 or count < 1:
            raise ValueError(f"every and count are at least 1; got {every} and {count}.")
        self.every = every
        self.count = count
        self._pictures = ImageLogger("attention")
        self._validations = 0
        self._off = False

    def state_dict(self) -> dict[str, Any]:
        """The number of validations so far, so that a resumed run keeps the rhythm."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the number of validations."""
        self._validations = state_dict["validations"]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws the sheet, when it is time; with the weights that were validated."""
        folder = run_folder(trainer)
        if trainer.sanity_checking:
            return
        due = self._validations % self.every == 0
        self._validations += 1
        if not due or self._off or folder is None or not trainer.is_global_zero:
            return
        if not isinstance(pl_module, Im2Tex):
            return
        examples = _some(pl_module.validation_examples, self.count)
        try:
            looks = [
                predict_with_attention(pl_module.recognizer, one.image, gold=one.gold)
                for one in examples
            ]
        except Im2TexError as error:
            self._off = True  # it will be no different next time
            warnings.warn(f"no attention pictures: {error}", stacklevel=2)
            return
        if looks:
            sheet = attention_sheet(looks, f"step {trainer.global_step}")
            self._pictures.log(sheet, folder, trainer)


def _some(examples: Sequence[ValidationExample], count: int) -> list[ValidationExample]:
    """At most `count`, evenly from the last, which is a short formula, to the first, a long one."""
    last = len(examples) - 1
    places = np.linspace(last, 0, min(count, len(examples)))
    return [examples[round(place)] for place in places]
