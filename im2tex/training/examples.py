"""Validation samples kept for images of the training's progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from im2tex.data.dataset import Batch


@dataclass(frozen=True, slots=True)
class ValidationExample:
    """A validation sample with its prediction; shown by `callbacks.ValidationImages`.

    Attributes:
        image: (H, W) uint8, 255 for ink.
        gold: tokens of the label.
        prediction: predicted tokens.
        score: log-probability of the prediction.
    """

    image: np.ndarray
    gold: Sequence[str]
    prediction: Sequence[str]
    score: float

    @classmethod
    def from_batch(cls, batch: Batch, row: int, prediction: Sequence[str], score: float) -> Self:
        """The example of a row of a batch, without the padding."""
        height, width = batch.sizes[row].tolist()
        image = batch.images[row, 0, :height, :width].cpu().numpy()
        return cls(image, batch.tokens[row], prediction, score)
