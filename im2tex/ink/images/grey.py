"""`grey_layers`: images of any mode as grey levels in which the ink stands out.

Lightness is used for almost every image. If two colours have the same lightness, the distance from
the paper's colour is used instead; numbers of more than 8 bits are scaled by their own range.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.components import EIGHT_NEIGHBOURS, ink_mask, stroke_width

_DARK = 64  # an image without a lighter level is stretched
_MIN_RANGE = 8  # levels of such an image; below, they are noise
_MIN_RELATIVE_RANGE = 0.06  # of wide numbers, relative to the largest; below, the image is blank
_RARE = 0.001  # fraction of the pixels that is excluded from a range at either end
_COLOURED = 0.35  # range of the lightness relative to that of a colour; below, colour is used
_SAME_LEVEL = 12  # largest difference of levels of an even paper
_EVEN_PAPER = 0.5  # of the image
_MAX_WIDTH = 2.5  # stroke widths: wider coloured parts are highlighted paper
_MIN_AREA = 0.5  # squared stroke widths: smaller coloured parts are edges
_OPAQUE = 0.5  # of the image: above, the transparent rest surrounds the sheet
_HIDDEN = 0.05  # of the opaque pixels: ink that is invisible on a white sheet


def grey_layers(image: Image.Image) -> list[NDArray[np.uint8]]:
    """The image as grey levels.

    Args:
        image: of any mode.

    Returns:
        One or two arrays (H, W), the preferred one first; the second is used if it is blank.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return [_scale_numbers(np.asarray(image, dtype=np.float32))]
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        image = image.convert("LA") if image.mode == "La" else image
        return _transparent_layers(image.convert("RGBA"))
    if image.mode in ("1", "L"):
        return [_stretch_dark(np.asarray(image.convert("L")))]
    if image.mode == "LAB":  # Pillow cannot convert it to RGB without a profile
        return [_stretch_dark(np.asarray(image.getchannel(0)))]
    return [_from_colours(image.convert("RGB"))]


def _scale_numbers(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Numbers scaled from their own range to 0 … 255; zeros if the range is small."""
    values = np.nan_to_num(values)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not values.size or high - low <= _MIN_RELATIVE_RANGE * max(abs(low), abs(high)):
        return np.zeros(values.shape, np.uint8)
    scaled: NDArray[np.uint8] = ((values - low) * (255.0 / (high - low))).astype(np.uint8)
    return scaled


def _stretch_dark(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image that is dark everywhere, such as 4 bits in 8, stretched to the full range."""
    high = int(grey.max(initial=0))
    if not _MIN_RANGE <= high < _DARK:
        return grey
    return (grey * np.float32(255 / high)).astype(np.uint8)


def _transparent_layers(image: Image.Image) -> list[NDArray[np.uint8]]:
    """The image on a sheet, and its opacity; the opacity first if a white sheet hides ink."""
    opacity = np.asarray(image.getchannel("A"))
    opaque = opacity > 127
    paper = (255, 255, 255)
    if opaque.mean() > _OPAQUE:
        red, green, blue = np.median(np.asarray(image)[opaque][:, :3], axis=0).astype(int).tolist()
        paper = (red, green, blue)
    sheet = Image.new("RGBA", image.size, (*paper, 255))
    visible = _from_colours(Image.alpha_composite(sheet, image).convert("RGB"))
    layers = [visible, 255 - opacity]
    if paper == (255, 255, 255) and opaque.any() and not opaque.all():
        labels, count = ndimage.label(opaque, EIGHT_NEIGHBOURS)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        seen = np.bincount(labels[ink_mask(255 - visible)], minlength=count + 1) > 0
        if areas[1:][~seen[1:]].sum() > _HIDDEN * areas[1:].sum():
            layers.reverse()
    return layers


def _from_colours(image: Image.Image) -> NDArray[np.uint8]:
    lightness = np.asarray(image.convert("L"))
    channels = [np.asarray(channel) for channel in image.split()]
    is_grey = all(np.array_equal(channels[0], channel) for channel in channels[1:])
    widest = 0 if is_grey or not lightness.size else max(map(_range, channels))
    if widest <= _MIN_RANGE:
        return _stretch_dark(lightness)
    distance = _paper_distance(channels)
    if _range(lightness) < _COLOURED * widest:
        return 255 - (distance * np.float32(255 / widest)).clip(0, 255).astype(np.uint8)
    return _add_coloured_parts(_stretch_dark(lightness), distance)


def _range(levels: NDArray[np.uint8]) -> int:
    """Difference between the lightest and the darkest level, without the rarest."""
    cumulated = np.cumsum(np.bincount(levels.ravel(), minlength=256)) / levels.size
    return int(np.searchsorted(cumulated, 1 - _RARE) - np.searchsorted(cumulated, _RARE))


def _paper_distance(channels: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Largest difference of each pixel from the paper's colour in any channel, (H, W)."""
    distance = np.zeros_like(channels[0])
    for levels in channels:
        paper = np.uint8(np.median(levels))
        np.maximum(distance, np.maximum(levels, paper) - np.minimum(levels, paper), out=distance)
    return distance


def _add_coloured_parts(
    lightness: NDArray[np.uint8], distance: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Adds symbols with the lightness of an even paper but another colour.

    Wider parts than the lines of the other ink are skipped, since they are highlighted paper.
    """
    plain = distance <= _SAME_LEVEL
    if plain.mean() < _EVEN_PAPER:
        return lightness
    paper = int(np.median(lightness[plain]))
    contrast = np.abs(lightness.astype(np.int16) - paper)
    strongest = int(contrast.max())
    seen = contrast > 0.35 * strongest
    unseen = (distance > 0.5 * int(distance.max())) & ~ndimage.binary_dilation(seen, iterations=2)
    if not unseen.any() or not seen.any():
        return lightness
    pen = stroke_width(np.pad(seen, 1))
    labels, count = ndimage.label(unseen, EIGHT_NEIGHBOURS)
    result = lightness.copy()
    sign = -1 if lightness[seen].mean() < paper else 1
    for label, box in enumerate(ndimage.find_objects(labels, count), 1):
        part = labels[box] == label
        if part.sum() >= _MIN_AREA * pen**2 and stroke_width(np.pad(part, 1)) <= _MAX_WIDTH * pen:
            result[box][part] = np.clip(paper + sign * strongest, 0, 255)
    return result
