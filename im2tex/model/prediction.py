"""`Prediction`, the result for one image, and the batches of images to predict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from im2tex.data.dataset import Batch, stack
from im2tex.decoders import Hypothesis
from im2tex.latex.tokens import join_tokens
from im2tex.latex.vocabulary import Vocabulary


class ImageWarning(UserWarning):
    """The prediction of an image may be wrong; the message names the image and the reason."""


class Prediction(NamedTuple):
    """The prediction of one image.

    A named tuple, because Lightning rebuilds what `predict_step` returns and refuses frozen
    dataclasses.

    Example:
        >>> prediction = Recognizer.from_pretrained("handwritten_small").predict("formula.png")[0]
        >>> prediction.latex
        'x^{2}'

    Attributes:
        latex: the best hypothesis, as `im2tex read` prints it: with the spaces that LaTeX needs.
        tokens: its tokens.
        score: the value it is ranked by: log p in nats, divided by a power of the length if a
            length penalty is set.
        finished: whether it has an end within the length limit.
        n_best: the best hypotheses with their scores, best first; the first is that of `latex`.
        notes: reasons why it may be wrong, such as several lines in the image.
    """

    latex: str
    tokens: list[str]
    score: float
    finished: bool
    n_best: list[tuple[str, float]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, hypotheses: Sequence[Hypothesis], vocabulary: Vocabulary) -> Prediction:
        """The prediction of the hypotheses of one image, best first."""
        tokens = [vocabulary.decode(hypothesis.tokens) for hypothesis in hypotheses]
        scores = [hypothesis.score for hypothesis in hypotheses]
        texts = [join_tokens(prediction) for prediction in tokens]
        n_best = list(zip(texts, scores, strict=True))
        return cls(texts[0], tokens[0], scores[0], hypotheses[0].finished, n_best)


def image_batches(images: Sequence[np.ndarray], size: int) -> Iterator[tuple[list[int], Batch]]:
    """Groups images into batches without labels, sorted by size to reduce padding.

    Args:
        images: `image` of what `prepare_image` returns.
        size: largest number of images in a batch.

    Yields:
        The indices of a batch's images, and the batch.
    """
    order = sorted(range(len(images)), key=lambda i: images[i].size)
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        parts = stack([images[i] for i in chosen])
        keys = [str(i) for i in chosen]
        yield chosen, Batch(keys, parts["images"], parts["sizes"], [()] * len(chosen))
