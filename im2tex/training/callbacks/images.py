"""Images of validation samples: their predictions, and where the model attends."""

from __future__ import annotations

import warnings
from itertools import islice
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.errors import Im2TexError
from im2tex.training.callbacks.image_logger import ImageLogger
from im2tex.training.module import Im2Tex
from im2tex.utils.checks import check_at_least
from im2tex.visualization.attention.predict import predict_with_attention
from im2tex.visualization.attention.strip import attention_sheet
from im2tex.visualization.example_sheet import draw_examples


class ValidationImages(Callback):
    """Logs an image of validation samples with label and prediction at each validation.

    Saves `images/step-0001200.png` in the run's folder; see `ImageLogger`. The samples are the
    module's attribute `validation_examples` on the first process, a list of objects as
    `visualization.example_sheet.Example`; nothing is logged if it is missing or empty.

    Example:
        >>> Trainer(callbacks=[ValidationImages(limit=4)]).fit(model, data)

    Args:
        limit: largest number of samples in an image.

    Raises:
        ValueError: if `limit` is below 1.
    """

    def __init__(self, limit: int = 8) -> None:
        check_at_least(1, limit=limit)
        self.limit = limit
        self._images = ImageLogger("images")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the image."""
        folder = self._images.folder(trainer)
        examples = list(islice(getattr(pl_module, "validation_examples", None) or (), self.limit))
        if folder is not None and examples:
            self._images.log(draw_examples(examples, _title(trainer)), folder, trainer)


class AttentionImages(Callback):
    """Logs an image of the attention on validation samples.

    Saves `attention/step-0001200.png` in the run's folder; see `ImageLogger`. The first process
    decodes some of the module's `validation_examples` once more, greedily; the time is below that
    of a batch. A model without attention to show gives one warning and no image. In a list of
    callbacks it belongs before `EMA`, so that it shows the averaged weights, which are validated.

    Example of a configuration:

        trainer:
          callbacks:
            - class_path: im2tex.training.callbacks.AttentionImages
              init_args: {every: 5, count: 2}

    Args:
        every: number of validations from one image to the next; the first has an image.
        count: largest number of samples in an image, of evenly spaced lengths.

    Raises:
        ValueError: if a number is below 1.
    """

    def __init__(self, every: int = 1, count: int = 2) -> None:
        check_at_least(1, every=every, count=count)
        self.every = every
        self.count = count
        self._images = ImageLogger("attention")
        self._validations = 0
        self._is_unsupported = False

    def state_dict(self) -> dict[str, Any]:
        """The number of validations so far."""
        return {"validations": self._validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the number of validations."""
        self._validations = state_dict["validations"]

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the image of every `every`-th validation, with the validated weights."""
        folder = self._images.folder(trainer)
        if trainer.sanity_checking:
            return
        self._validations += 1
        if (self._validations - 1) % self.every or self._is_unsupported or folder is None:
            return
        if not isinstance(pl_module, Im2Tex) or not pl_module.validation_examples:
            return
        examples = pl_module.validation_examples  # from long formulas to short ones
        rows = np.linspace(len(examples) - 1, 0, min(self.count, len(examples)))
        try:
            records = [
                predict_with_attention(pl_module.recognizer, example.image, gold=example.gold)
                for example in (examples[round(row)] for row in rows)
            ]
        except Im2TexError as error:
            self._is_unsupported = True
            warnings.warn(f"no attention images: {error}", stacklevel=2)
            return
        self._images.log(attention_sheet(records, _title(trainer)), folder, trainer)


def _title(trainer: Trainer) -> str:
    return f"step {trainer.global_step}"
