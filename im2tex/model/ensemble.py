"""The other models and the views that a model reads with: loaded, checked, laid side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.data.dataset import Batch
from im2tex.decoders.ensemble_step import Part
from im2tex.errors import Im2TexError
from im2tex.model.test_time_scales import scaled

if TYPE_CHECKING:
    from im2tex.model.transcription import Transcriber

SMALLEST, LARGEST = 0.25, 4.0


@dataclass
class Company:
    """Whom a model reads with, and in what sizes they all see a picture.

    Attributes:
        paths: checkpoints, or folders or names for `Im2Tex.from_pretrained`, of the other models.
        views: sizes by the size that the pictures have, 1 for as they are.
        models: the others, loaded when they are first needed.

    Raises:
        Im2TexError: if there is no view, or one is out of range.
    """

    paths: Sequence[str] = ()
    views: Sequence[float] = (1.0,)
    models: list[Transcriber] = field(default_factory=list)

    def __post_init__(self) -> None:
        wrong = [view for view in self.views if not SMALLEST <= view <= LARGEST]
        if wrong or not self.views or any(math.isnan(view) for view in self.views):
            raise Im2TexError(
                f"model.views are sizes from {SMALLEST} to {LARGEST} by the size that pictures "
                f"have, at least one, such as [0.8, 1.0, 1.25]; got {list(self.views)}."
            )

    @property
    def alone(self) -> bool:
        """Whether there is one model and pictures are seen as they are."""
        return not self.paths and tuple(self.views) == (1.0,)

    def __str__(self) -> str:
        return f"models={1 + len(self.paths)}, views={'/'.join(f'{view:g}' for view in self.views)}"

    def in_words(self) -> str:
        """A sentence on it for a person; "" if the model reads alone."""
        if self.alone:
            return ""
        sizes = ", ".join(f"{view:g}" for view in self.views)
        count = 1 + len(self.paths)
        who = "It sees" if count == 1 else f"{count} models of one kind read together; each sees"
        return f"{who} a picture in the sizes {sizes}; probabilities are averaged."

    def others(self, model: Transcriber) -> list[Transcriber]:
        """The other models.

        Args:
            model: the first one.

        Raises:
            Im2TexError: if one cannot be loaded, or does not go with the first.
        """
        if len(self.models) != len(self.paths):
            self.models = [_load(path, model) for path in self.paths]
        return self.models

    def parts(self, model: Transcriber, batch: Batch) -> list[Part]:
        """What reads a batch: the decoder of each model with its grid of each view.

        Args:
            model: the first one.
            batch: of B images, on its device.

        Raises:
            Im2TexError: if another model cannot be loaded, or does not go with the first.
        """
        others = [one.to(model.device, model.dtype) for one in self.others(model)]
        stride = model.preprocessing.stride
        shown = [scaled(batch, view, stride) for view in self.views]
        return [(one.ready, one.encode(view)) for view in shown for one in (model, *others)]


def _load(path: str, first: Transcriber) -> Transcriber:
    """Another model, of the same vocabulary and preprocessing."""
    cls = type(first)
    if Path(path).is_file():
        model = cls.load_from_checkpoint(path, map_location="cpu").eval()
    else:
        model = cls.from_pretrained(path)
        model.company = Company()  # it comes alone
    mine, its = first.words.tokens, model.words.tokens
    if mine != its:
        only = [repr(t) for t in (*sorted({*mine} - {*its}), *sorted({*its} - {*mine}))]
        raise Im2TexError(
            f"model.ensemble: {path} was trained with another vocabulary, "
            + (f"{', '.join(only[:5])} only in one" if only else "in another order")
            + ". Models that read together share it: train them on the same split."
        )
    if model.preprocessing != first.preprocessing:
        raise Im2TexError(
            f"model.ensemble: {path} sees pictures otherwise, {model.preprocessing} and not "
            f"{first.preprocessing}. Models that read together see the same pixels."
        )
    return model
