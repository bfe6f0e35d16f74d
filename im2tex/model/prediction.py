"""Input and output of a prediction: `ImageInput`, `prepare_image`, `Prediction`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from im2tex.data.dataset import Batch, stack
from im2tex.data.preprocessing import Preprocessing, RasterizedFormula
from im2tex.decoders import Hypothesis
from im2tex.errors import Im2TexError
from im2tex.ink.images.files import read_file_bytes
from im2tex.ink.inkml import read_if_inkml
from im2tex.latex.vocabulary import Vocabulary


@runtime_checkable
class BinaryFile(Protocol):
    """An open binary file, such as `io.BytesIO`."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        ...


ImageInput = str | Path | bytes | bytearray | memoryview | BinaryFile | Image.Image | np.ndarray
"""A path of an image or InkML file, an encoded image as bytes or as an open binary file such as
`io.BytesIO`, a PIL image, or an array (H, W[, C])."""

_SINGLE = (str, Path, bytes, bytearray, memoryview, Image.Image, np.ndarray, BinaryFile)


class ImageWarning(UserWarning):
    """The prediction of an image may be wrong; the message names the image and the reason."""


class Prediction(NamedTuple):
    """The prediction of one image.

    A named tuple, because Lightning rebuilds what `predict_step` returns and refuses frozen
    dataclasses.

    Example:
        >>> prediction = Recognizer.from_pretrained("handwritten_small").predict("formula.png")[0]
        >>> prediction.latex
        'x ^ { 2 }'

    Attributes:
        latex: the best hypothesis, tokens joined by spaces.
        tokens: its tokens.
        score: the value it is ranked by: log p in nats, divided by a power of the length if a
            length penalty is set.
        finished: whether it has an end within the length limit.
        n_best: the best hypotheses with their scores, best first.
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
        texts = [" ".join(prediction) for prediction in tokens]
        n_best = list(zip(texts, scores, strict=True))
        return cls(texts[0], tokens[0], scores[0], hypotheses[0].finished, n_best)


def as_list(images: ImageInput | Sequence[ImageInput]) -> list[ImageInput]:
    """A single image as a list of one; a sequence of images as a list.

    Raises:
        Im2TexError: if it is neither.
    """
    if isinstance(images, _SINGLE):
        return [images]
    try:
        return list(images)
    except TypeError:
        raise Im2TexError(
            f"expected an image or a list of images, got a {type(images).__name__}."
        ) from None


def preprocess_image(image: ImageInput, preprocessing: Preprocessing) -> np.ndarray:
    """The input of a model for an image, (H, W) uint8, ink 255 on 0; see `prepare_image`.

    Raises:
        Im2TexError: if it cannot be opened or is blank; the message names it.
    """
    return prepare_image(image, preprocessing).image


def prepare_image(image: ImageInput, preprocessing: Preprocessing) -> RasterizedFormula:
    """The input of a model for an image, with notes for the user.

    InkML is recognised by its content.

    Raises:
        Im2TexError: if it cannot be opened or is blank; the message names it.
    """
    inkml = read_if_inkml(image)
    if inkml is not None:
        rasterized = preprocessing.rasterize(inkml.ink)
        return replace(rasterized, notes=(*inkml.notes, *rasterized.notes))
    if not isinstance(image, str | Path):
        return preprocessing.load_image(image, with_warnings=True)
    if Path(image).is_dir():
        raise Im2TexError(f"{image} is a folder: name its images, such as {Path(image) / '*.png'}.")
    data = read_file_bytes(image)
    try:
        return preprocessing.load_image(data, with_warnings=True)
    except Im2TexError as error:
        raise Im2TexError(f"{image}: {error}") from error


def image_batches(images: Sequence[np.ndarray], size: int) -> Iterator[tuple[list[int], Batch]]:
    """Groups images into batches without labels, sorted by size to reduce padding.

    Args:
        images: as returned by `preprocess_image`.
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
