"""`Preprocessing`: strokes or a picture to the pixels a model sees. One object for every use.

The model owns it, so that training, test, `predict` and a demo cannot differ. Scale comes from the
strokes or pixels alone: a characteristic symbol size is measured (`ink.scale`) and brought to
`symbol_size` pixels, by the same rule for ink and for bitmaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.ink.images.image_warnings import image_warnings
from im2tex.ink.images.ink_image import load_ink_image, read_ink_image
from im2tex.ink.images.restroke import Skeleton, thin_line_skeleton
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw, draw_skeleton, raster_size, skeleton_size
from im2tex.ink.scale import image_symbol_size, ink_size, symbol_size

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A formula as pixels.

    Attributes:
        image: (H, W) uint8, 0 for paper to 255 for ink; H and W multiples of the stride.
        scale: pixels per unit of the ink, or per pixel of the picture.
        origin: where the ink's left top corner lies, (x, y) in its own unit.
        offset: where that corner lies in the image, in pixels from either side.
        limited: whether the image had to be made smaller than asked to fit the limits.
        notes: what a person should know about the picture that it came from.
    """

    image: Pixels
    scale: float
    origin: tuple[float, float]
    offset: float
    limited: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a formula becomes pixels.

    Attributes:
        symbol_size: pixels a characteristic symbol is scaled to; 0 keeps a picture's own scale,
            as is right for printed formulas that all have one resolution.
        thickness: width of a pen stroke, as a share of the symbol size.
        padding: blank pixels on every side.
        max_height: tallest image in pixels.
        max_width: widest image in pixels. Beyond either, a training sample is dropped and any
            other is made smaller; both are counted.
        stride: (vertical, horizontal) pixels that image sizes are rounded up to multiples of.
        redraw: where pictures are scaled, lines that come out thinner than the pen's are redrawn
            with it (`ink.images.restroke`); otherwise they keep their own width, scaled along.

    Raises:
        Im2TexError: if a value is out of range.
    """

    symbol_size: float = 24.0
    thickness: float = 0.1
    padding: int = 4
    max_height: int = 320
    max_width: int = 1280
    stride: tuple[int, int] = (8, 8)
    redraw: bool = True

    def __post_init__(self) -> None:
        for name in ("thickness", "max_height", "max_width"):
            if getattr(self, name) <= 0:
                raise Im2TexError(f"preprocessing: {name} must be positive.")
        if self.symbol_size < 0 or self.padding < 0:
            raise Im2TexError("preprocessing: symbol_size and padding cannot be negative.")
        least = math.ceil(2 * self.padding + self._line(1.0) + 2)
        for name, limit in zip(("max_height", "max_width"), self._limits(), strict=True):
            if limit < least:
                raise Im2TexError(
                    f"preprocessing: {name}={getattr(self, name)} leaves no room for ink: with "
                    f"this padding and pen it is at least {least}, rounded up to the stride."
                )

    def scale_of(self, ink: Ink) -> float:
        """Pixels per unit of the ink."""
        return self.scale_for(ink_size(ink))

    def scale_for(self, unit: float) -> float:
        """Pixels per unit of an ink whose `ink_size` is known."""
        return (self.symbol_size or 24.0) / unit

    def extent(self, ink: Ink, scale: float) -> tuple[int, int]:
        """Height and width in pixels of the ink drawn at a scale, before any limit."""
        height, width = raster_size(ink.strokes, scale, self._line(1.0), self.padding)
        return self._round(height, 0), self._round(width, 1)

    def fits(self, height: int, width: int) -> bool:
        """Whether an image of that size is within the limits."""
        return height <= self.max_height and width <= self.max_width

    def draw(self, ink: Ink, *, scale: float | None = None, thickness_factor: float = 1.0) -> Drawn:
        """Draws strokes.

        Args:
            ink: at least one stroke.
            scale: pixels per unit; measured from the ink if not given.
            thickness_factor: widens or narrows the pen.
        """
        scale = self.scale_of(ink) if scale is None else scale
        left, top, right, bottom = ink.bounds
        line = self._line(thickness_factor)
        room = 2 * self.padding + line + 1
        tallest, widest = self._limits()
        most = min(
            (tallest - room) / max(bottom - top, 1e-9), (widest - room) / max(right - left, 1e-9)
        )
        limited = scale > most
        scale = min(scale, most)
        image = draw(ink.strokes, scale, line, self.padding)
        return Drawn(self._fill(image), scale, (left, top), self.padding + line / 2, limited)

    def picture(self, source: Any, *, with_warnings: bool = False) -> Drawn:
        """Reads a picture.

        Args:
            source: a path, encoded bytes, an open binary file, a PIL image or an array: whatever
                `open_image` opens.
            with_warnings: adds the warnings of `image_warnings` to the notes; they take as long as
                the rest.

        Raises:
            Im2TexError: if it cannot be decoded or shows nothing.
        """
        loaded = read_ink_image(source)
        ink = loaded.ink
        symbol = self._symbol(ink)
        asked, most = self._picture_scales(ink, symbol)
        scale = min(asked, most)
        hair = self._hair_lines(ink, scale)
        if hair is not None:
            line = self._line(1.0)
            image = draw_skeleton(hair.cells, line, self.padding)
            place = hair.corner, self.padding + line / 2
        else:
            image = np.pad(_scaled(ink, scale), self.padding)
            place = (0.0, 0.0), float(self.padding)
        notes = loaded.notes
        if with_warnings:
            size = symbol or image_symbol_size(ink)
            notes = (*notes, *image_warnings(ink, size, scale / asked))
        return Drawn(self._fill(image), scale, *place, limited=asked > most, notes=notes)

    def picture_extent(self, source: Any) -> tuple[int, int]:
        """Height and width in pixels that a picture asks for, before any limit.

        Raises:
            Im2TexError: if it cannot be decoded or shows nothing.
        """
        ink = load_ink_image(source)
        scale, most = self._picture_scales(ink, self._symbol(ink))
        hair = self._hair_lines(ink, scale) if scale <= most else None
        if hair is not None:
            height, width = skeleton_size(hair.cells, self._line(1.0), self.padding)
        else:
            height, width = (max(1, round(n * scale)) + 2 * self.padding for n in ink.shape)
        return self._round(height, 0), self._round(width, 1)

    def blank(self) -> Drawn:
        """The smallest image, empty: stands for one that cannot be drawn."""
        return Drawn(np.zeros(self.stride, np.uint8), 1.0, (0.0, 0.0), 0.0, False)

    def boxes(self, drawn: Drawn, ink: Ink, length: int) -> NDArray[np.float32]:
        """Where each token's symbol was drawn.

        Args:
            drawn: what `draw` made of the ink.
            ink: with symbols aligned to tokens.
            length: number of tokens.

        Returns:
            (length, 4) left, top, right, bottom in pixels; (0, 0, -1, -1) where not known.
        """
        found = np.tile(np.array([0, 0, -1, -1], dtype=np.float32), (length, 1))
        for symbol in ink.symbols:
            if 0 <= symbol.position < length and symbol.strokes:
                points = np.concatenate([ink.strokes[i] for i in symbol.strokes])
                corners = np.stack([points.min(0), points.max(0)])  # (2, 2)
                placed = (corners - np.asarray(drawn.origin)) * drawn.scale + drawn.offset
                found[symbol.position] = placed.ravel()
        return found

    @property
    def _redraws(self) -> bool:
        return self.redraw and self.symbol_size > 0

    def _hair_lines(self, ink: Pixels, scale: float) -> Skeleton | None:
        return thin_line_skeleton(ink, scale, self._line(1.0)) if self._redraws else None

    def _symbol(self, ink: Pixels) -> float:
        """The characteristic size of a picture's symbols, pixels; 0 where it does not matter."""
        if not self.symbol_size:
            return 0.0
        return image_symbol_size(ink) if self._redraws else symbol_size(ink)

    def _picture_scales(self, ink: Pixels, symbol: float) -> tuple[float, float]:
        """Pixels for each of a picture: as asked for, and the most within the limits."""
        asked = self.symbol_size / symbol if symbol else 1.0
        room = 2 * self.padding + (self._line(1.0) + 1 if self._redraws else 0)
        tallest, widest = self._limits()
        return asked, min((tallest - room) / ink.shape[0], (widest - room) / ink.shape[1])

    def _line(self, factor: float) -> float:
        return max(1.0, (self.symbol_size or 24.0) * self.thickness * factor)

    def _limits(self) -> tuple[int, int]:
        """The limits as multiples of the stride, which image sizes are."""
        down, right = self.stride
        return self.max_height // down * down, self.max_width // right * right

    def _round(self, pixels: int, axis: int) -> int:
        stride = self.stride[axis]
        return -(-pixels // stride) * stride

    def _fill(self, image: Pixels) -> Pixels:
        """Blank paper at the bottom and right, up to multiples of the stride."""
        height, width = image.shape
        down = -height % self.stride[0]
        right = -width % self.stride[1]
        return np.pad(image, ((0, down), (0, right)))


def _scaled(ink: Pixels, scale: float) -> Pixels:
    height, width = (max(1, round(n * scale)) for n in ink.shape)
    if (height, width) == ink.shape:
        return ink
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(ink).resize((width, height), how))
