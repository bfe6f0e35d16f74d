"""Input and output of a prediction: `ImageInput`, `prepare_image`, `Prediction`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
"""A path of a picture or an InkML file, an encoded picture as bytes or as an open binary file such
as `io.BytesIO`, a PIL image, or an array (H, W[, C])."""


class ImageWarning(UserWarning):
    """A picture was read, but its reading may be wrong; the message names picture and reason."""


class PreparedImage(NamedTuple):
    """A picture as a model sees it.

    Attributes:
        image: (H, W) uint8, ink 255 on 0.
        notes: what a person should know about the picture.
    """

    image: np.ndarray
    notes: tuple[str, ...] = ()


class Prediction(NamedTuple):
    """What a model reads in one picture.

    A named tuple, because Lightning rebuilds what `predict_step` returns and refuses frozen
    dataclasses.

    Attributes:
        latex: the best reading, tokens joined by spaces.
        tokens: the same as a list.
        score: what it was ranked by: log p, nats, by length where a length penalty is set.
        finished: whether it ended by itself within the length limit.
        n_best: the best readings with their scores, the best first.
        notes: what may be wrong with the picture, such as several lines; empty for most.
    """

    latex: str
    tokens: list[str]
    score: float
    finished: bool
    n_best: list[tuple[str, float]]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, hypotheses: Sequence[Hypothesis], words: Vocabulary) -> Prediction:
        """What the hypotheses of one image say, the best first."""
        texts = [words.decode(one.tokens) for one in hypotheses]
        best = hypotheses[0]
        return cls(
            " ".join(texts[0]),
            texts[0],
            best.score,
            best.finished,
            [(" ".join(text), one.score) for text, one in zip(texts, hypotheses, strict=True)],
        )


_ONE = (str, Path, bytes, bytearray, memoryview, Image.Image, np.ndarray, BinaryFile)


def as_list(images: ImageInput | Sequence[ImageInput]) -> list[ImageInput]:
    """A single picture as a list of one; a sequence of pictures as a list.

    Raises:
        Im2TexError: if it is neither.
    """
    if isinstance(images, _ONE):
        return [images]
    try:
        return list(images)
    except TypeError:
        raise Im2TexError(
            f"a {type(images).__name__} is no picture, and no list of them."
        ) from None


def preprocess_image(picture: ImageInput, preprocessing: Preprocessing) -> np.ndarray:
    """A picture as a model sees it, (H, W) uint8, ink 255 on 0; see `prepare_image`.

    Raises:
        Im2TexError: if it cannot be opened or shows nothing, naming it.
    """
    return prepare_image(picture, preprocessing).image


def prepare_image(picture: ImageInput, preprocessing: Preprocessing) -> PreparedImage:
    """A picture as a model sees it, and what a person should know about it.

    InkML is recognised by its content.

    Raises:
        Im2TexError: if it cannot be opened or shows nothing, naming it.
    """
    inkml = read_if_inkml(picture)
    if inkml is not None:
        found = preprocessing.rasterize(inkml.ink)
        return PreparedImage(found.image, (*inkml.notes, *found.notes))
    if not isinstance(picture, str | Path):
        return _prepared(preprocessing.load_image(picture, with_warnings=True))
    if Path(picture).is_dir():
        raise Im2TexError(
            f"{picture} is a folder: name its pictures, such as {Path(picture) / '*.png'}."
        )
    data = read_file_bytes(picture)
    try:
        return _prepared(preprocessing.load_image(data, with_warnings=True))
    except Im2TexError as error:
        raise Im2TexError(f"{picture}: {error}") from error


def _prepared(found: RasterizedFormula) -> PreparedImage:
    return PreparedImage(found.image, found.notes)


def image_batches(images: Sequence[np.ndarray], size: int) -> Iterator[tuple[list[int], Batch]]:
    """Images in batches without labels, the small ones first, so that little is padding.

    Args:
        images: as `preprocess_image` returns them.
        size: most images in a batch.

    Yields:
        The numbers of a batch's images, and the batch.
    """
    order = sorted(range(len(images)), key=lambda i: images[i].size)
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        parts = stack([images[i] for i in chosen])
        keys = [str(i) for i in chosen]
        yield chosen, Batch(keys, parts["images"], parts["sizes"], [()] * len(chosen))
