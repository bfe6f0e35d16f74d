"""`Preprocessing`: strokes or an image file to the pixels of the model's input.

The model owns the object, so that training, test and prediction use the same preprocessing. The
scale is chosen from the strokes or pixels alone: the characteristic symbol size (`ink.scale`) is
measured and becomes `symbol_size` pixels, by the same rule for ink and for images.
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
from im2tex.ink.images.ink_image import read_ink_image
from im2tex.ink.images.restroke import Skeleton, thin_line_skeleton
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw, draw_skeleton
from im2tex.ink.scale import image_symbol_size, ink_size, symbol_size
from im2tex.utils.checks import check_settings

Pixels = NDArray[np.uint8]
_UNSCALED_SYMBOL_SIZE = 24.0  # pixels; for ink, and for the pen, where `symbol_size` is 0


@dataclass(frozen=True, slots=True)
class RasterizedFormula:
    """A formula as pixels.

    A point p of the ink lies at `(p - origin) * scale + offset` in the image.

    Attributes:
        image: (H, W) uint8, 0 for background to 255 for ink; H and W are multiples of the stride.
        scale: pixels per unit of the ink, or per pixel of the original image.
        origin: top left corner of the ink, (x, y) in units of the ink.
        offset: distance of that corner from the top and left edges of the image, in pixels.
        downscaled: whether the scale was reduced to fit the size limits.
        notes: warnings about the original image, for the user.
    """

    image: Pixels
    scale: float
    origin: tuple[float, float]
    offset: float
    downscaled: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Converts ink and images to model inputs.

    Example:
        >>> preprocessing = Preprocessing(symbol_size=16)
        >>> preprocessing.load_image("formula.png").image.shape
        (48, 264)

    Attributes:
        symbol_size: characteristic symbol size in pixels; 0 keeps the scale of images, for printed
            formulas of one resolution.
        stroke_width: width of pen strokes as a fraction of `symbol_size`.
        padding: blank pixels on each side.
        max_height: largest image height in pixels.
        max_width: largest image width in pixels. Training drops samples beyond either limit,
            evaluation downscales them; both are counted.
        stride: (vertical, horizontal); image sizes are rounded up to its multiples.
        redraw: redraw lines of scaled images that would be thinner than `stroke_width` with that
            width (`ink.images.restroke`); otherwise their width is scaled with the image.

    Raises:
        Im2TexError: if a value is out of range.
    """

    symbol_size: float = 24.0
    stroke_width: float = 0.1
    padding: int = 4
    max_height: int = 320
    max_width: int = 1280
    stride: tuple[int, int] = (8, 8)
    redraw: bool = True

    def __post_init__(self) -> None:
        for name in ("stroke_width", "max_height", "max_width"):
            if getattr(self, name) <= 0:
                raise Im2TexError(f"preprocessing: {name} must be > 0, got {getattr(self, name)}.")
        check_settings("preprocessing: ", 0, symbol_size=self.symbol_size, padding=self.padding)
        minimum = math.ceil(2 * self.padding + self._pen(1.0) + 2)
        for name, limit in zip(("max_height", "max_width"), self.limits, strict=True):
            if limit < minimum:
                raise Im2TexError(
                    f"preprocessing: {name} must be >= {minimum}, rounded up to the stride, with "
                    f"this padding and stroke_width, got {getattr(self, name)}."
                )

    def scale_of(self, ink: Ink) -> float:
        """Pixels per unit of the ink."""
        return self.scale_for(ink_size(ink))

    def scale_for(self, size: float) -> float:
        """Pixels per unit of an ink with the characteristic symbol size `size`."""
        return (self.symbol_size or _UNSCALED_SYMBOL_SIZE) / size

    def rasterize(
        self,
        ink: Ink,
        *,
        scale: float | None = None,
        stroke_width_factor: float = 1.0,
        limits: tuple[int, int] | None = None,
    ) -> RasterizedFormula:
        """Draws strokes.

        Args:
            ink: has at least one stroke.
            scale: pixels per unit; `scale_of(ink)` if not given.
            stroke_width_factor: factor on the stroke width.
            limits: largest height and width of the image in pixels, multiples of the stride; those
                of the preprocessing if not given.
        """
        scale = self.scale_of(ink) if scale is None else scale
        left, top, right, bottom = ink.bounds
        pen = self._pen(stroke_width_factor)
        # A planned image may have exactly the size of its limits.
        margin = 2 * self.padding + pen + (1 if limits is None else 1e-3)
        limit = self._largest_scale(bottom - top, right - left, margin, limits or self.limits)
        return RasterizedFormula(
            image=draw(ink, min(scale, limit), pen, self.padding, self.stride),
            scale=min(scale, limit),
            origin=(left, top),
            offset=self.padding + pen / 2,
            downscaled=scale > limit,
        )

    def scales(self, units: NDArray[np.float64], has_ink: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Scales of many samples.

        Args:
            units: (n,) characteristic symbol sizes of the inks or images.
            has_ink: (n,) whether a sample is an ink; others are images.

        Returns:
            (n,) pixels per unit of an ink or per pixel of an image, without the limits.
        """
        scaled = (self.symbol_size or _UNSCALED_SYMBOL_SIZE) / units
        return scaled if self.symbol_size else np.where(has_ink, scaled, 1.0)

    def sizes(
        self,
        extents: NDArray[np.float64],
        scales: NDArray[np.float64],
        stroke_width_factors: NDArray[np.float64],
        has_ink: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Sizes of many images, without the limits.

        Exact for inks, and at most a stroke width too large for images.

        Args:
            extents: (n, 2) height and width of the ink or the image's ink.
            scales: (n,) pixels per unit.
            stroke_width_factors: (n,) factors on the stroke width.
            has_ink: (n,) whether a sample is an ink.

        Returns:
            (n, 2) height and width in pixels.
        """
        pen = (self.symbol_size or _UNSCALED_SYMBOL_SIZE) * self.stroke_width
        pens = np.maximum(1.0, pen * stroke_width_factors)
        if not self._redraws:
            pens = np.where(has_ink, pens, 0.0)
        pixels = np.ceil(extents * scales[:, None] + pens[:, None]) + 2 * self.padding
        rounded: NDArray[np.int64] = (-(-pixels // self.stride) * self.stride).astype(np.int64)
        return rounded

    def load_image(self, source: Any, *, with_warnings: bool = False) -> RasterizedFormula:
        """Decodes an image, finds the ink and scales it.

        Args:
            source: a path, encoded bytes, an open binary file, a PIL image or an array, as for
                `open_image`.
            with_warnings: adds the warnings of `image_warnings` to the notes, which doubles the
                time.

        Raises:
            Im2TexError: if the image cannot be decoded or has no ink.
        """
        loaded = read_ink_image(source)
        ink = loaded.ink
        measured = self._measured_symbol_size(ink)
        wanted, limit = self._image_scales(ink, measured)
        scale = min(wanted, limit)
        origin, offset = (0.0, 0.0), float(self.padding)
        skeleton = self._thin_lines(ink, scale)
        if skeleton is not None:
            image = draw_skeleton(skeleton.cells, self._pen(1.0), self.padding)
            origin, offset = skeleton.corner, self.padding + self._pen(1.0) / 2
        else:
            image = np.pad(_resize(ink, scale), self.padding)
        notes = loaded.notes
        if with_warnings:
            size = measured or image_symbol_size(ink)
            notes = (*notes, *image_warnings(ink, size, scale / wanted))
        return RasterizedFormula(
            image=self._pad_to_stride(image),
            scale=scale,
            origin=origin,
            offset=offset,
            downscaled=wanted > limit,
            notes=notes,
        )

    def blank(self) -> RasterizedFormula:
        """The smallest image, without ink; replaces an image that cannot be decoded."""
        return RasterizedFormula(np.zeros(self.stride, np.uint8), 1.0, (0.0, 0.0), 0.0, False)

    def boxes(self, drawn: RasterizedFormula, ink: Ink, length: int) -> NDArray[np.float32]:
        """The box of each token's symbol in the image.

        Args:
            drawn: the result of `rasterize(ink)`.
            ink: its symbols are aligned to tokens.
            length: number of tokens.

        Returns:
            (length, 4) left, top, right, bottom in pixels; (0, 0, -1, -1) where unknown.
        """
        boxes = np.full((length, 4), (0, 0, -1, -1), np.float32)
        if ink.symbols:
            positions = np.array([symbol.position for symbol in ink.symbols])
            corners = (ink.symbol_boxes - np.array(2 * drawn.origin)) * drawn.scale + drawn.offset
            known = (positions >= 0) & (positions < length) & ~np.isnan(corners[:, 0])
            boxes[positions[known]] = corners[known]
        return boxes

    @property
    def _redraws(self) -> bool:
        return self.redraw and self.symbol_size > 0

    def _thin_lines(self, ink: Pixels, scale: float) -> Skeleton | None:
        return thin_line_skeleton(ink, scale, self._pen(1.0)) if self._redraws else None

    def _measured_symbol_size(self, ink: Pixels) -> float:
        """The characteristic symbol size of an image in pixels; 0 if it is not used."""
        if not self.symbol_size:
            return 0.0
        return image_symbol_size(ink) if self._redraws else symbol_size(ink)

    def _image_scales(self, ink: Pixels, measured: float) -> tuple[float, float]:
        """The wanted scale of an image, and the largest one within the limits."""
        wanted = self.symbol_size / measured if measured else 1.0
        margin = 2 * self.padding + (self._pen(1.0) + 1 if self._redraws else 0)
        height, width = ink.shape
        return wanted, self._largest_scale(height, width, margin, self.limits)

    @staticmethod
    def _largest_scale(
        height: float, width: float, margin: float, limits: tuple[int, int]
    ) -> float:
        """The largest scale at which the ink and a margin in pixels are within the limits."""
        return min(
            (limits[0] - margin) / max(height, 1e-9), (limits[1] - margin) / max(width, 1e-9)
        )

    def _pen(self, factor: float) -> float:
        """The stroke width in pixels."""
        return max(1.0, (self.symbol_size or _UNSCALED_SYMBOL_SIZE) * self.stroke_width * factor)

    @property
    def limits(self) -> tuple[int, int]:
        """`max_height` and `max_width`, rounded down to multiples of the stride."""
        vertical, horizontal = self.stride
        return self.max_height // vertical * vertical, self.max_width // horizontal * horizontal

    def clip_size(self, height: float, width: float) -> tuple[int, int]:
        """The closest size of an image that is no larger, within the limits, and has ink."""
        smallest = math.ceil(2 * self.padding + self._pen(2.0) + 2)
        sizes = []
        for size, step, limit in zip((height, width), self.stride, self.limits, strict=True):
            sizes.append(min(max(int(size // step), -(-smallest // step)) * step, limit))
        return sizes[0], sizes[1]

    def _round_up(self, height: int, width: int) -> tuple[int, int]:
        vertical, horizontal = self.stride
        return -(-height // vertical) * vertical, -(-width // horizontal) * horizontal

    def _pad_to_stride(self, image: Pixels) -> Pixels:
        height, width = self._round_up(*image.shape)
        return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1])))


def _scaled_shape(ink: Pixels, scale: float) -> tuple[int, int]:
    height, width = ink.shape
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resize(ink: Pixels, scale: float) -> Pixels:
    height, width = _scaled_shape(ink, scale)
    if (height, width) == ink.shape:
        return ink
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(ink).resize((width, height), method))
