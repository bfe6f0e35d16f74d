"""`Ensemble`: several recognisers and several scales of an image, averaged at every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from im2tex.data.dataset import Batch
from im2tex.decoders.ensemble_step import EnsembleMember
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.folders import member
from im2tex.model.predictor import Predictor
from im2tex.model.test_time_scales import rescale_batch

MIN_SCALE, MAX_SCALE = 0.25, 4.0


@dataclass(frozen=True)
class EnsembleOptions:
    """The other models of an ensemble, and its test-time scales.

    Attributes:
        paths: checkpoints, model folders or names of packaged models.
        scales: factors by which each image is resized, 1 for its own size.

    Example:
        >>> EnsembleOptions(paths=["second.ckpt"], scales=(0.8, 1.0, 1.25))

    Raises:
        Im2TexError: if there is no scale, or one is out of range.
    """

    paths: Sequence[str] = ()
    scales: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        wrong = [scale for scale in self.scales if not MIN_SCALE <= scale <= MAX_SCALE]
        if wrong or not self.scales or any(math.isnan(scale) for scale in self.scales):
            raise Im2TexError(
                f"model.tta_scales must be at least one factor from {MIN_SCALE} to {MAX_SCALE}, "
                f"such as [0.8, 1.0, 1.25]; got {list(self.scales)}."
            )

    @property
    def is_single_model(self) -> bool:
        """Whether there is one model, which sees each image once and at its own size."""
        return not self.paths and tuple(self.scales) == (1.0,)

    def __str__(self) -> str:
        scales = "/".join(f"{scale:g}" for scale in self.scales)
        return f"models={1 + len(self.paths)}, scales={scales}"

    def describe(self) -> str:
        """A sentence for model cards and pages; "" for a single model."""
        if self.is_single_model:
            return ""
        count = 1 + len(self.paths)
        models = "one model" if count == 1 else f"{count} models"
        scales = ", ".join(f"{scale:g}" for scale in self.scales)
        return f"Averages the token probabilities of {models} over images at the scales {scales}."


class Ensemble(Predictor):
    """Recognisers with one vocabulary and preprocessing, at several scales of each image.

    At every step the probability of the next token is the mean over models and scales, as in the
    ensembles published on CROHME (WAP, Zhang et al. 2017).

    Example:
        >>> Ensemble([first, second], scales=(0.8, 1.0, 1.25)).predict("formula.png")

    Args:
        models: the first one gives vocabulary, preprocessing and device.
        scales: factors by which each image is resized, 1 for its own size.
    """

    def __init__(self, models: Sequence[Predictor], scales: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.scales = tuple(scales)
        self.preprocessing = models[0].preprocessing
        self.training_data = list(dict.fromkeys(one for m in models for one in m.training_data))

    @property
    def first(self) -> Predictor:
        """The first model."""
        model = self.models[0]
        assert isinstance(model, Predictor)
        return model

    def require_vocabulary(self) -> Vocabulary:
        """The first model's vocabulary, which all models share."""
        return self.first.require_vocabulary()

    def members(self, batch: Batch) -> list[EnsembleMember]:
        """The decoders of all models with their feature grids, scale by scale.

        Args:
            batch: B images, on the first model's device, to which the others are moved.
        """
        self.models.to(self.device)
        resized = [rescale_batch(batch, scale, self.preprocessing.stride) for scale in self.scales]
        return [
            member
            for one in resized
            for model in self.models
            if isinstance(model, Predictor)
            for member in model.members(one)
        ]

    def save_pretrained(self, folder: str | Path, **stored: Any) -> int:
        """Writes the first model with the ensemble's options, and the others in folders below."""
        others = [model for model in self.models if isinstance(model, Predictor)][1:]
        size = self.first.save_pretrained(folder, members=len(others), scales=self.scales, **stored)
        return size + sum(
            other.save_pretrained(member(Path(folder), k)) for k, other in enumerate(others, 1)
        )
