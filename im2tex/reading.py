"""What goes into reading pictures and what comes out: `Picture`, `drawn`, `Reading`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from im2tex.data.dataset import Batch, stack
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import Hypothesis
from im2tex.errors import Im2TexError
from im2tex.ink.inkml import inkml_in
from im2tex.latex.vocabulary import Vocabulary

Picture = str | Path | bytes | Image.Image | np.ndarray
"""A path of a picture or an InkML file, the bytes of either, a PIL image, or a uint8 array."""


class Reading(NamedTuple):
    """What a model reads in one picture.

    A named tuple, because Lightning rebuilds what `predict_step` returns and refuses frozen
    dataclasses.

    Attributes:
        latex: the best reading, tokens joined by spaces.
        tokens: the same as a list.
        score: what it was ranked by: log p, nats, by length where a length penalty is set.
        finished: whether it ended by itself within the length limit.
        n_best: the best readings with their scores, the best first.
    """

    latex: str
    tokens: list[str]
    score: float
    finished: bool
    n_best: list[tuple[str, float]]

    @classmethod
    def of(cls, hypotheses: Sequence[Hypothesis], words: Vocabulary) -> Reading:
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


def drawn(picture: Picture, preprocessing: Preprocessing) -> np.ndarray:
    """A picture as a model sees it, (H, W) uint8, ink 255 on 0.

    InkML is recognised by its content; what is doubtful about it is warned of.

    Raises:
        Im2TexError: if it cannot be opened or shows nothing, naming it.
    """
    inkml = inkml_in(picture)
    if inkml is not None:
        for note in inkml.notes:
            warnings.warn(note, stacklevel=2)
        return preprocessing.draw(inkml.ink).image
    if not isinstance(picture, str | Path):
        return preprocessing.picture(picture).image
    if Path(picture).is_dir():
        raise Im2TexError(
            f"{picture} is a folder: name its pictures, such as {Path(picture) / '*.png'}."
        )
    try:
        return preprocessing.picture(Path(picture).read_bytes()).image
    except OSError as error:
        raise Im2TexError(f"cannot open {picture}: {error.strerror or error}.") from error
    except Im2TexError as error:
        raise Im2TexError(f"{picture}: {error}") from error


def batches(images: Sequence[np.ndarray], size: int) -> Iterator[tuple[list[int], Batch]]:
    """Images in batches without labels, the small ones first, so that little is padding.

    Args:
        images: as `drawn` gives them.
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
