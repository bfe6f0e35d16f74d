"""The paper's scores on pictures: image match, match without white space, image edit score.

Prediction and reference are drawn by the same engine at the same settings, and the pictures are
compared column by column (`image_match`, where both definitions are). A prediction without a
picture, missing or not to be compiled, is wrong and costs the reference's full width.

Names that end in `_released` follow the authors' script to the letter, for comparison with figures
in papers: it goes by the references' pictures, so a sample whose reference has none is left out.
The others are ours: symmetric, and such a sample is wrong and costs the prediction's full width.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import torch
from torch import Tensor
from torchmetrics import Metric

from im2tex.evaluation.metrics.image_match import ImageComparison, compare_images
from im2tex.evaluation.metrics.pairs import scalar
from im2tex.render import Rendering
from im2tex.render.rendering import GrayImage

Picture = Rendering | GrayImage | None

_COUNTS = (
    "samples",
    "references",
    "predictions",
    "matches",
    "matches_no_space",
    "matches_released",
    "matches_no_space_released",
    "edits",
    "columns",
    "edits_released",
    "columns_released",
)


class ImageScores(Metric):
    """All scores on pictures at once, in 0..1; nan before the first sample.

    `compute()` gives `image_match`, `image_match_no_space`, `image_edit_score`, each with
    `_released` as well, and the counts `image_samples`, `image_predictions_missing` and
    `image_references_missing`. All states are int64 sums: values do not depend on batches or
    processes.

    Args:
        signature: of the renderer that draws the pictures (`Renderer.signature`). Pictures of
            another are refused, also where processes come together.
        prefix: put before each name, `val/` or `test/`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    signature_low: Tensor
    signature_high: Tensor

    def __init__(self, signature: str, prefix: str = "") -> None:
        super().__init__()
        self.signature = signature
        self.prefix = prefix
        for name in _COUNTS:
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        code = torch.tensor(crc32(signature.encode()), dtype=torch.int64)
        self.add_state("signature_low", code, dist_reduce_fx="min")
        self.add_state("signature_high", code.clone(), dist_reduce_fx="max")

    def update(self, comparisons: Sequence[ImageComparison], signature: str | None = None) -> None:
        """Counts comparisons (`compare_pictures`), which are each sample's verdicts as well.

        Args:
            comparisons: one a sample.
            signature: of the renderer that drew the pictures, checked against the metric's own.

        Raises:
            ValueError: if the pictures are another renderer's.
        """
        if signature is not None and signature != self.signature:
            raise ValueError(
                f"pictures drawn by {signature!r} cannot be compared with those by "
                f"{self.signature!r}: draw both by one engine at one setting."
            )
        scored = [c for c in comparisons if c.has_reference]
        counts = {
            "samples": len(comparisons),
            "references": len(scored),
            "predictions": sum(c.has_prediction for c in comparisons),
            "matches": sum(c.match for c in comparisons),
            "matches_no_space": sum(c.match_no_space for c in comparisons),
            "matches_released": sum(c.match_released for c in scored),
            "matches_no_space_released": sum(c.match_no_space_released for c in scored),
            "edits": sum(c.edits for c in comparisons),
            "columns": sum(c.width for c in comparisons),
            "edits_released": sum(c.edits for c in scored),
            "columns_released": sum(c.width for c in scored),
        }
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def compute(self) -> dict[str, Tensor]:
        """The scores and counts by name, scalars.

        Raises:
            ValueError: if processes drew with different engines or settings.
        """
        if int(self.signature_low) != int(self.signature_high):
            raise ValueError("the processes drew with different engines or settings.")
        count = {name: int(getattr(self, name)) for name in _COUNTS}

        def share(part: str, whole: str) -> float:
            return count[part] / count[whole] if count[whole] else float("nan")

        scores = {
            "image_match": share("matches", "samples"),
            "image_match_no_space": share("matches_no_space", "samples"),
            "image_edit_score": 1 - share("edits", "columns"),
            "image_match_released": share("matches_released", "references"),
            "image_match_no_space_released": share("matches_no_space_released", "references"),
            "image_edit_score_released": 1 - share("edits_released", "columns_released"),
            "image_samples": float(count["samples"]),
            "image_predictions_missing": float(count["samples"] - count["predictions"]),
            "image_references_missing": float(count["samples"] - count["references"]),
        }
        return {self.prefix + k: scalar(number, self.device) for k, number in scores.items()}


def compare_pictures(
    predictions: Sequence[Picture], references: Sequence[Picture]
) -> list[ImageComparison]:
    """Compares pictures of predictions with those of the gold markup.

    Args:
        predictions: a rendering or (H, W) uint8 pixels a sample, None where there is none.
        references: those of the gold markup, in the same order.

    Raises:
        ValueError: if the numbers differ.
    """
    if len(predictions) != len(references):
        raise ValueError(
            f"{len(predictions)} predictions against {len(references)} references: "
            "pass one picture a reference, None for a missing one."
        )
    return [
        compare_images(_pixels(prediction), _pixels(reference))
        for prediction, reference in zip(predictions, references, strict=True)
    ]


def _pixels(picture: Picture) -> GrayImage | None:
    return picture.pixels if isinstance(picture, Rendering) else picture
