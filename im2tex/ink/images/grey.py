"""Pictures of any mode to grey levels in which the ink stands out.

Lightness does for almost every picture. Where two colours are as light as each other, the distance
from the colour of the paper takes its place; where numbers have more than 8 bits, their own range
is what counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.components import ink_mask
from im2tex.ink.images.stroke_width import stroke_width

_DARK = 64  # a picture that has no lighter level than this is stretched
_LEAST_RANGE = 8  # levels of such a picture; fewer are noise
_RELATIVE = 0.06  # range of wide numbers, by the largest of them: less is blank
_RARE = 0.001  # share of the pixels that does not count in a range
_COLOURED = 0.35  # range of the lightness, by that of a colour: less, and the colour is taken
_SAME = 12  # levels by which pixels of an even paper differ
_EVEN = 0.5  # share of the picture that such paper covers
_THICK = 2.5  # pens: coloured parts thicker than this are no ink, but highlighted
_SPECK = 0.5  # pens squared: smaller coloured parts are the rims of others
_OPAQUE = 0.5  # share of the picture: more, and the transparent rest is its surroundings
_UNSEEN = 0.05  # share of the opaque pixels: ink that a white sheet hides


def grey_layers(picture: Image.Image) -> list[NDArray[np.uint8]]:
    """The picture as grey levels.

    Args:
        picture: of any mode.

    Returns:
        One or two (H, W), the one to prefer first; the second is for a first that is blank.
    """
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return [_of_numbers(np.asarray(picture, dtype=np.float32))]
    if picture.has_transparency_data or picture.mode in ("La", "RGBa"):
        return _of_transparent(_converted(picture, "RGBA"))
    if picture.mode in ("1", "L"):
        return [_stretched(np.asarray(picture.convert("L")))]
    if picture.mode == "LAB":  # Pillow has no way to colours without a profile
        return [_stretched(np.asarray(picture.getchannel(0)))]
    return [_of_colours(picture.convert("RGB"))]


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode == "La":
        picture = picture.convert("LA")
    return picture.convert(mode)


def _of_numbers(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Wide numbers by their own range, 0 to 255; zeros where they hardly differ."""
    values = np.nan_to_num(values)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not values.size or high - low <= _RELATIVE * max(abs(low), abs(high)):
        return np.zeros(values.shape, np.uint8)
    scaled: NDArray[np.uint8] = ((values - low) * (255.0 / (high - low))).astype(np.uint8)
    return scaled


def _stretched(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture that is dark all over, such as 4 bits in 8, up to the full range."""
    high = int(grey.max(initial=0))
    if not _LEAST_RANGE <= high < _DARK:
        return grey
    return (grey * np.float32(255 / high)).astype(np.uint8)


def _of_transparent(picture: Image.Image) -> list[NDArray[np.uint8]]:
    """On white; or, where that hides ink, the opacity."""
    opacity = np.asarray(picture.getchannel("A"))
    opaque = opacity > 127
    if opaque.mean() > _OPAQUE:
        colours = np.asarray(picture)[opaque][:, :3]
        paper = tuple(int(level) for level in np.median(colours, axis=0))
    else:
        paper = (255, 255, 255)
    sheet = Image.new("RGBA", picture.size, (*paper, 255))
    shown = _of_colours(Image.alpha_composite(sheet, picture).convert("RGB"))
    layers = [shown, 255 - opacity]
    if paper == (255, 255, 255) and opaque.any() and not opaque.all() and _hides(shown, opaque):
        layers.reverse()
    return layers


def _hides(shown: NDArray[np.uint8], opaque: NDArray[np.bool_]) -> bool:
    """Whether parts of what is opaque cannot be seen on the white sheet."""
    labels, count = ndimage.label(opaque, np.ones((3, 3), bool))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    seen = np.bincount(labels[ink_mask(255 - shown)], minlength=count + 1) > 0
    seen[0] = True
    return bool(areas[~seen].sum() > _UNSEEN * areas[1:].sum())


def _of_colours(picture: Image.Image) -> NDArray[np.uint8]:
    lightness = np.asarray(picture.convert("L"))
    colours = np.asarray(picture)
    if not lightness.size or _is_grey(colours):
        return _stretched(lightness)
    widest = max(_range(colours[:, :, channel]) for channel in range(3))
    if widest <= _LEAST_RANGE:
        return _stretched(lightness)
    distance = _distance(colours)
    if _range(lightness) < _COLOURED * widest:
        return 255 - (distance * np.float32(255 / widest)).clip(0, 255).astype(np.uint8)
    return _with_coloured_parts(_stretched(lightness), distance)


def _is_grey(colours: NDArray[np.uint8]) -> bool:
    red, green, blue = (colours[:, :, channel] for channel in range(3))
    return bool(np.array_equal(red, green) and np.array_equal(green, blue))


def _range(levels: NDArray[np.uint8]) -> int:
    """Between the darkest and the lightest level, without the rarest."""
    shares = np.cumsum(np.bincount(levels.ravel(), minlength=256)) / levels.size
    return int(np.searchsorted(shares, 1 - _RARE) - np.searchsorted(shares, _RARE))


def _distance(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How far each pixel is from the paper's colour, in the channel where it is farthest."""
    found: NDArray[Any] = np.zeros(colours.shape[:2], np.uint8)
    for channel in range(3):
        levels = colours[:, :, channel]
        paper = np.uint8(np.median(levels))
        found = np.maximum(found, np.maximum(levels, paper) - np.minimum(levels, paper))
    return found


def _with_coloured_parts(
    lightness: NDArray[np.uint8], distance: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Symbols added that are as light as an even paper, but of another colour.

    Only parts with lines about as wide as those that lightness shows: a highlighted ground is none.
    """
    plain = distance <= _SAME
    if plain.mean() < _EVEN:
        return lightness
    paper = int(np.median(lightness[plain]))
    contrast = np.abs(lightness.astype(np.int16) - paper)
    strongest = int(contrast.max())
    seen = contrast > 0.35 * strongest
    unseen = (distance > 0.5 * int(distance.max())) & ~ndimage.binary_dilation(seen, iterations=2)
    if not unseen.any() or not seen.any():
        return lightness
    pen = stroke_width(np.pad(seen, 1))
    labels, count = ndimage.label(unseen, np.ones((3, 3), bool))
    found = lightness.copy()
    sign = -1 if lightness[seen].mean() < paper else 1
    for number, place in enumerate(ndimage.find_objects(labels, count), 1):
        part = np.pad(labels[place] == number, 1)
        if part.sum() >= _SPECK * pen**2 and stroke_width(part) <= _THICK * pen:
            inner = part[1:-1, 1:-1]
            found[place][inner] = np.clip(paper + sign * strongest, 0, 255)
    return found
