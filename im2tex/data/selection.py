"""Selects training samples, and counts the used and the dropped samples of a split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from im2tex.data.dataset import FormulaDataset
from im2tex.errors import Im2TexError


@dataclass
class SplitStatistics:
    """Counts of a split's samples.

    Attributes:
        total: samples in the store.
        used: samples in the batches.
        dropped: number of dropped samples by reason; training only.
        downscaled: samples whose image was reduced to fit the size limits; evaluation only.
        padding_ratio: pixels of the padded batches divided by pixels of the images.
    """

    total: int
    used: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    downscaled: int = 0
    padding_ratio: float = float("nan")


def select_training_samples(
    dataset: FormulaDataset, max_length: int, max_samples: int | None, seed: int
) -> tuple[list[int], SplitStatistics]:
    """Selects the samples that can be trained on.

    Args:
        dataset: of the training split.
        max_length: longest label in tokens.
        max_samples: number of samples to draw at random; all if not given.
        seed: seed of the draw.

    Returns:
        Their indices in ascending order, and the counts.
    """
    statistics = SplitStatistics(len(dataset))
    indices = []
    for index in range(len(dataset)):
        reason = _drop_reason(dataset, index, max_length)
        if reason is None:
            indices.append(index)
        else:
            statistics.dropped[reason] = statistics.dropped.get(reason, 0) + 1
    if max_samples is not None and max_samples < len(indices):
        statistics.dropped["beyond train_samples"] = len(indices) - max_samples
        rng = np.random.default_rng([seed, 2])
        indices = sorted(rng.permutation(indices)[:max_samples].tolist())
    statistics.used = len(indices)
    return indices, statistics


def _drop_reason(dataset: FormulaDataset, index: int, max_length: int) -> str | None:
    """Why a sample cannot be trained on; None if it can."""
    try:
        height, width, length = dataset.unaugmented_size(index)
    except Im2TexError:
        return "unreadable"
    if length == 0:
        return "without label"
    if length > max_length:
        return f"longer than {max_length} tokens"
    if not dataset.preprocessing.fits(height, width):
        return "larger than the image limits"
    return None
