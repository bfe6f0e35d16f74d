"""`remove_surroundings`: removes frames, letterboxes and the dark edges of scans.

They touch the border of the image and have another level than the sheet, so that polarity cannot be
determined with them. The following are replaced by the level of the paper:

- a ring that touches all four sides and encloses a rectangle with ink in it;
- a part that covers half a side or more and is much thicker than the pen, if it shows no ink;
- a thin line along whole sides or at corners, if the ink keeps clear of all other sides. In an
  image that is cropped to its formula, a line at the border may belong to the formula (an
  overline), so it is kept; so are two lines left and right that look like the ink (delimiters).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.components import EIGHT_NEIGHBOURS, stroke_width

# Fractions of a side or of the pixels of the image, unless stated otherwise.
_MAX_PIXELS = 2_000_000  # a larger image is downscaled for the search
_MIN_SIDE = 24  # pixels: smaller images are not searched
_ROUNDS = 3  # a frame may be inside a letterbox
_PAPERS = 3  # levels tried as that of the sheet
_PAPER_FRACTION = 0.05  # of such a level
_TOLERANCE = (16, 40)  # levels by which pixels of the sheet differ from its level
_MIN_INK = 0.0002
_MIN_COVERED = 0.02  # of a side, by a part that counts
_MAX_PARTS = 64
_RING_SIDES = 0.4  # of each side; the corners of a ring may be rounded
_RING_AREA = 0.85  # of its box that a ring encloses; a circle encloses 0.79
_ATTACHED = 0.1  # of a ring's pixels that are neither along the sides nor at the corners
_EDGE_SIDE = 0.5  # of a side, by a thick part
_THICK = 4.0  # stroke widths
_LINE_SIDE = 0.97  # of a side, by a line
_THIN = 0.08  # of the shorter side
_CORNER = 0.15  # of the shorter side: size of a piece at a corner
_CLEAR = 0.03  # of the shorter side: between the ink and the other sides
_JPEG_BLOCK = 8  # pixels
_DELIMITER_WIDTH = (0.4, 2.6)  # stroke widths
_DELIMITER_CONTRAST = 0.25  # largest difference from the ink's contrast, relative to it
_DARKEST = 0.9  # quantile of a part's levels that is not at its edge
_FLAT = 40  # levels between the median of a thick part and its extremes
_MAX_SHOWN_INK = 0.0005  # in a thick part
_UNKNOWN_SIDE = 0.3  # of a side that is neither paper nor surroundings
_SHEET_AREA = 0.9  # of its box that the sheet fills
_MAX_SHEET_INK = 0.25  # of the sheet
_SHEET_PAPER = 0.55  # of the sheet that is paper
_MAX_SHEET_PEN = 0.25  # of the sheet's shorter side: stroke width
_RIM = 2  # pixels around the surroundings that are their edge

_Mask = NDArray[np.bool_]


def remove_surroundings(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replaces frames and edges by the level of the paper.

    Args:
        grey: (H, W).

    Returns:
        The same array if there are none.
    """
    for _ in range(_ROUNDS):
        if min(grey.shape) < _MIN_SIDE:
            return grey
        factor = int(np.ceil(np.sqrt(grey.size / _MAX_PIXELS)))
        small = grey if factor == 1 else np.asarray(Image.fromarray(grey).reduce(factor))
        for paper, tolerance in _paper_levels(small):
            mask = _surroundings_mask(small, paper, tolerance)
            if mask is not None:
                break
        else:
            return grey
        mask = ndimage.maximum_filter(mask, 2 * _RIM + 1)
        if factor > 1:
            mask = mask.repeat(factor, 0).repeat(factor, 1)[: grey.shape[0], : grey.shape[1]]
        grey = np.where(mask, np.uint8(paper), grey)
    return grey


def _paper_levels(grey: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Possible levels of the sheet, the most frequent first, with their tolerance."""
    counts = np.array(Image.fromarray(grey).histogram(), np.float64)
    found = []
    for _ in range(_PAPERS):
        level = int(np.convolve(counts, np.ones(7), "same").argmax())
        near = slice(max(0, level - 30), level + 31)
        total = counts[near].sum()
        if total < _PAPER_FRACTION * grey.size:
            break
        deviation = float((counts[near] * np.abs(np.arange(256)[near] - level)).sum() / total)
        found.append((level, int(np.clip(6 * deviation, *_TOLERANCE))))
        counts[near] = 0
    return found


class _Part(NamedTuple):
    """A connected part that touches the border.

    Attributes:
        mask: (H, W).
        sides: fraction of the top, bottom, left and right side that it covers, (4,).
        size: distances of its last row and column from the first, pixels.
        thickness: of its thickest place, pixels.
    """

    mask: _Mask
    sides: NDArray[np.float64]
    size: tuple[int, int]
    thickness: float


def _surroundings_mask(grey: NDArray[np.uint8], paper: int, tolerance: int) -> _Mask | None:
    """The surroundings of a sheet of that level, (H, W); None if there are none, or no sheet."""
    contrast = np.abs(grey.astype(np.int16) - paper).astype(np.uint8)
    other = contrast > tolerance
    if not any(side.any() for side in _sides(other)):
        return None
    labels, count = ndimage.label(other, EIGHT_NEIGHBOURS)
    covered: NDArray[np.float64] = np.array(
        [np.bincount(side.ravel(), minlength=count + 1) / side.size for side in _sides(labels)]
    )  # (4, count + 1)
    at_border: _Mask = covered > 0
    at_border = at_border.any(axis=0) | (np.arange(count + 1) == 0)
    ink = ~at_border[labels]
    counting = [k for k in np.flatnonzero(covered.max(axis=0) >= _MIN_COVERED).tolist() if k]
    if ink.sum() < _MIN_INK * ink.size or not counting or len(counting) > _MAX_PARTS:
        return None
    pen = stroke_width(np.pad(ink, 1))
    found = np.zeros(grey.shape, bool)
    line_mask = np.zeros(grey.shape, bool)
    lines: list[_Part] = []
    boxes = ndimage.find_objects(labels)
    for label in counting:
        mask, (rows, columns) = labels == label, boxes[label - 1]
        size = (rows.stop - rows.start - 1, columns.stop - columns.start - 1)
        part = _Part(mask, covered[:, label], size, _thickness(mask[rows, columns]))
        if _is_ring(part):
            found |= _ring_mask(mask)
        elif _is_edge(part, pen, grey, paper):
            found |= _thick_mask(mask, pen)
        elif _is_line(part, pen) or _is_corner(part):
            lines.append(part)
            line_mask |= mask
    large = at_border & (np.bincount(labels.ravel(), minlength=count + 1) >= pen**2)
    rest = large[labels] & other & ~found & ~line_mask
    if max(side.mean() for side in _sides(rest)) > _UNKNOWN_SIDE:
        return None  # another object along a side: the level is that of no sheet
    removable = bool(lines) and not rest.any() and _is_clear(ink, lines)
    if removable and not _are_delimiters(lines, pen, contrast, ink):
        found |= line_mask
    return found if found.any() and _is_sheet(found, other, ink) else None


def _sides(array: NDArray[Any], depth: int = 1) -> tuple[NDArray[Any], ...]:
    """Top, bottom, left and right side, `depth` pixels deep."""
    return array[:depth], array[-depth:], array[:, :depth], array[:, -depth:]


def _thickness(mask: _Mask) -> float:
    return 2.0 * float(ndimage.distance_transform_cdt(np.pad(mask, 1)).max())


def _is_ring(part: _Part) -> bool:
    if part.sides.min() < _RING_SIDES:
        return False
    enclosed = ndimage.binary_fill_holes(part.mask).mean()
    return bool(enclosed >= _RING_AREA and part.mask.mean() < 0.5)


def _ring_mask(mask: _Mask) -> _Mask:
    """A ring without ink that touches it: its sides by their median thickness, and its corners."""
    zone = np.zeros(mask.shape, bool)
    for side, pixels in zip(_each_side_up(zone), _each_side_up(mask), strict=True):
        quarter = pixels.shape[1] // 4
        middle = pixels[:, quarter:-quarter]
        inside = ~middle & (np.arange(len(middle))[:, None] >= middle.argmax(0))
        side[: int(np.median(inside.argmax(0))) + 2] = True
    corner = int(2 * _CORNER * min(mask.shape))
    positions = (np.arange(length) for length in mask.shape)
    rows, columns = (np.minimum(at, at[::-1]) < corner for at in positions)
    corners = rows[:, None] & columns
    if (mask & ~zone & ~corners).sum() > _ATTACHED * mask.sum():
        return mask & zone  # ruled lines end at the ring
    return mask & (zone | corners)


def _each_side_up(mask: _Mask) -> tuple[_Mask, ...]:
    """Views in which the top, bottom, left and right side is the top."""
    return mask, mask[::-1], mask.T, mask.T[::-1]


def _is_edge(part: _Part, pen: float, grey: NDArray[np.uint8], paper: int) -> bool:
    if part.sides.max() < _EDGE_SIDE or part.thickness < _THICK * pen:
        return False
    # Half of a sheet that is in a shadow, or in bright light, shows ink: farther from the paper's
    # level than its own, on the other side of it, or as holes. A soft edge is closer.
    difference = grey[part.mask].astype(np.float32) - paper
    median, extreme = np.median(difference), np.quantile(np.abs(difference), 0.995)
    beyond = (np.sign(median) * difference < -_FLAT).mean()
    if extreme - abs(median) > _FLAT or beyond > _MAX_SHOWN_INK:
        return False
    holes, count = ndimage.label(ndimage.binary_fill_holes(part.mask) & ~part.mask)
    areas = np.bincount(holes.ravel(), minlength=count + 1)[1:] / grey.size
    return bool(areas[areas < _PAPER_FRACTION].sum() <= _MAX_SHOWN_INK)


def _thick_mask(mask: _Mask, pen: float) -> _Mask:
    """A thick part without lines that touch it: pixels close to a thick place or the border."""
    half = max(2, round(_THICK / 2 * pen))
    core = ndimage.distance_transform_cdt(np.pad(mask, half, mode="edge")) >= half
    near = ndimage.maximum_filter(core, 2 * half + 2 * _JPEG_BLOCK + 1)[half:-half, half:-half]
    for side in _sides(near, half):
        side[:] = True
    thick: _Mask = mask & near
    return thick


def _is_line(part: _Part, pen: float) -> bool:
    """Whether a part is a line from corner to corner, or along half a side and round a corner."""
    thin = max(4, _THIN * min(part.mask.shape), _THICK * pen)
    if part.sides.max() >= _LINE_SIDE:
        return bool(part.thickness <= thin)
    touched = (part.sides > 0).sum()
    return bool(part.sides.max() >= _EDGE_SIDE and touched > 1 and min(part.size) <= thin)


def _is_corner(part: _Part) -> bool:
    top, bottom, left, right = (part.sides > 0).tolist()
    if top == bottom or left == right:
        return False
    return bool(max(part.size) <= _CORNER * min(part.mask.shape))


def _is_clear(ink: _Mask, lines: list[_Part]) -> bool:
    """Whether the ink keeps clear of every side without a line."""
    near = np.zeros(ink.shape, bool)  # artefacts of JPEG around a line are no ink
    for part in lines:
        near |= ndimage.maximum_filter(part.mask, 2 * _JPEG_BLOCK + 1)
    has_line = np.max([part.sides for part in lines], axis=0) >= _LINE_SIDE
    sides = _sides(ink & ~near, max(2, round(_CLEAR * min(ink.shape))))
    return not any(side.any() for side, line in zip(sides, has_line, strict=True) if not line)


def _are_delimiters(
    lines: list[_Part], pen: float, contrast: NDArray[np.uint8], ink: _Mask
) -> bool:
    """Whether there are lines at the left and right side only, and all look like the ink."""
    has_line = np.max([part.sides for part in lines], axis=0) >= _EDGE_SIDE
    if has_line.tolist() != [False, False, True, True]:
        return False
    darkest = np.quantile(contrast[ink], _DARKEST)
    low, high = (width * pen for width in _DELIMITER_WIDTH)
    return all(
        low <= part.thickness <= high
        and abs(np.quantile(contrast[part.mask], _DARKEST) - darkest)
        < _DELIMITER_CONTRAST * darkest
        for part in lines
        if part.sides.max() >= _EDGE_SIDE
    )


def _is_sheet(surroundings: _Mask, other: _Mask, ink: _Mask) -> bool:
    """Whether the rest is a rectangle of paper with thin ink on it."""
    sheet = ~surroundings
    fractions = (sheet.mean(axis) for axis in (1, 0))
    rows, columns = (np.flatnonzero(fraction > 0.3 * fraction.max()) for fraction in fractions)
    if not len(rows) or not len(columns):
        return False
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if ink[box].sum() > _MAX_SHEET_INK * sheet[box].sum():
        return False  # a letter and the area that it encloses
    if sheet[box].mean() < _SHEET_AREA or (sheet & ~other)[box].mean() < _SHEET_PAPER:
        return False
    return bool(stroke_width(np.pad(ink, 1)) < _MAX_SHEET_PEN * min(sheet[box].shape))
