"""`Rendering`, the result of rendering a formula: its pixels, or why there are none."""

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
    """Why a formula was not rendered."""

    UNREADABLE = "unreadable"
    REFUSED = "refused"
    TEX = "tex"
    UNSUPPORTED = "unsupported"
    LIMIT = "limit"
    BLANK = "blank"


CAUSES = {
    Cause.UNREADABLE: "braces, environments or characters that cannot be read",
    Cause.REFUSED: "a command that is not on the allow-list",
    Cause.TEX: "TeX reports an error",
    Cause.UNSUPPORTED: "not supported by the engine",
    Cause.LIMIT: "exceeds the limits of time, memory or size",
    Cause.BLANK: "draws no ink",
}
"""Description of each cause."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A formula that was not rendered, or has no layout.

    Attributes:
        cause: the class of the failure.
        reason: its details.
    """

    cause: Cause
    reason: str


class RenderError(Exception):
    """Raised within the package for a formula that cannot be rendered.

    Args:
        cause: the class of the failure.
        reason: its details.
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.failure = Failure(cause, reason)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A formula, rendered or not: either `png` or `failure` is None.

    Attributes:
        png: an 8-bit grey PNG, black ink on white paper, cropped to the ink.
        failure: why there is none.
    """

    png: bytes | None = None
    failure: Failure | None = None

    @property
    def pixels(self) -> GrayImage | None:
        """(H, W) uint8, from 0 for ink to 255 for paper; None if the rendering failed."""
        return None if self.png is None else decode_png(self.png)

    @property
    def width(self) -> int | None:
        """The number of columns, from the header of the PNG; None without an image."""
        return None if self.png is None else int.from_bytes(self.png[16:20], "big")

    @property
    def height(self) -> int | None:
        """The number of rows, likewise."""
        return None if self.png is None else int.from_bytes(self.png[20:24], "big")


class Renderer(Protocol):
    """Renders formulas.

    Attributes:
        engine: its name.
        signature: engine, versions and settings that the pixels depend on. Only renderings with the
            same signature are comparable.
    """

    engine: str
    signature: str

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Yields a rendering of each formula, in order; invalid markup gives a failure.

        Args:
            formulas: math markup without dollars around it.
        """
        ...

    def close(self) -> None:
        """Releases the resources of the engine, which cannot render afterwards."""
        ...


def crop_to_ink(image: GrayImage) -> GrayImage:
    """Returns the bounding box of the ink.

    Args:
        image: (H, W), 255 for paper.

    Raises:
        RenderError: if there is no ink.
    """
    ink = image < 255
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        raise RenderError(Cause.BLANK, "it draws no ink")
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def encode_png(image: GrayImage) -> bytes:
    """Encodes (H, W) uint8 as a PNG, quickly rather than small."""
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def decode_png(png: bytes) -> GrayImage:
    """Decodes a PNG to (H, W) uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))
