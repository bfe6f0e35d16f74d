"""Selects training samples, and counts the used and the dropped samples of a split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from im2tex.data.bucketing import Indices
from im2tex.data.epoch_plan import EpochPlanner
from im2tex.data.geometry import SampleKind


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
    planner: EpochPlanner, max_length: int, max_samples: int | None, seed: int
) -> tuple[Indices, SplitStatistics]:
    """Selects the samples that can be trained on.

    Args:
        planner: of the unaugmented samples of the training split.
        max_length: longest label in tokens.
        max_samples: number of samples to draw at random; all if not given.
        seed: seed of the draw.

    Returns:
        Their indices in ascending order, and the counts.
    """
    geometry = planner.geometry
    statistics = SplitStatistics(len(geometry))
    remaining = np.ones(len(geometry), dtype=bool)
    for reason, applies in (
        ("unreadable", geometry.kind == SampleKind.NONE),
        ("without label", geometry.length == 0),
        (f"longer than {max_length} tokens", geometry.length > max_length),
        ("larger than the image limits", planner.exceed_limits()),
    ):
        if dropped := int((remaining & applies).sum()):
            statistics.dropped[reason] = dropped
        remaining &= ~applies
    indices = np.flatnonzero(remaining)
    if max_samples is not None and max_samples < len(indices):
        statistics.dropped["beyond train_samples"] = len(indices) - max_samples
        rng = np.random.default_rng([seed, 2])
        indices = np.sort(rng.permutation(indices)[:max_samples])
    statistics.used = len(indices)
    return indices, statistics
