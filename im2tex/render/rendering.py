"""What drawing a formula gives: its pixels, or why there are none."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GrayImage = NDArray[np.uint8]


class Cause(StrEnum):
    """Why a formula was not drawn."""

    UNREADABLE = "unreadable"
    REFUSED = "refused"
    TEX = "tex"
    UNSUPPORTED = "unsupported"
    LIMIT = "limit"
    BLANK = "blank"


CAUSES = {
    Cause.UNREADABLE: "braces, environments or characters that cannot be read",
    Cause.REFUSED: "a command outside of those that formulas need",
    Cause.TEX: "TeX reports an error",
    Cause.UNSUPPORTED: "the built-in engine cannot draw it",
    Cause.LIMIT: "more time, memory or paper than a formula may take",
    Cause.BLANK: "nothing to see",
}
"""Each cause in words."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A formula that was not drawn.

    Attributes:
        cause: its class.
        reason: the particulars, in words.
    """

    cause: Cause
    reason: str


class RenderError(Exception):
    """Raised inside of this room for a formula that cannot be drawn; never leaves it.

    Args:
        cause: its class.
        reason: the particulars, in words.
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.failure = Failure(cause, reason)


@dataclass(frozen=True, slots=True)
class Rendering:
    """One formula, drawn or not: exactly one of `png` and `failure` is there.

    Attributes:
        png: an 8-bit grey PNG, black ink on white paper, cropped to the ink.
        failure: why there is none.
    """

    png: bytes | None = None
    failure: Failure | None = None

    @property
    def pixels(self) -> GrayImage | None:
        """(H, W) uint8, 0 for ink to 255 for paper, or None."""
        return None if self.png is None else decode_png(self.png)


class Renderer(Protocol):
    """Draws formulas.

    Attributes:
        engine: its name.
        signature: what the pixels depend on apart from the markup: engine, versions, settings.
            Pictures are comparable only where it is the same.
    """

    engine: str
    signature: str

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Draws formulas, a rendering each, in order; bad markup is a failure, not an exception.

        Args:
            formulas: math markup without dollars around it.
        """
        ...

    def close(self) -> None:
        """Gives back what the engine holds; it cannot draw afterwards."""
        ...


def crop_to_ink(image: GrayImage) -> GrayImage:
    """The smallest part of a picture that holds all ink.

    Args:
        image: (H, W), 255 where there is paper.

    Raises:
        RenderError: if there is none.
    """
    ink = image < 255
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        raise RenderError(Cause.BLANK, "it draws no ink")
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def encode_png(image: GrayImage) -> bytes:
    """(H, W) uint8 as a PNG: quick to write rather than smallest."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def decode_png(png: bytes) -> GrayImage:
    """A PNG as (H, W) uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))
