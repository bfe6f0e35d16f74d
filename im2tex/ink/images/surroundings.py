"""What surrounds the sheet in a picture: frames, letterboxes, the dark edges of scans.

They touch the border of the picture, are of another level than the sheet, and flip the guess of
what is ink. Taken out are, with the level of the paper put in their place:

- a ring that touches all four sides and encloses a rectangle with ink in it;
- what covers half a side or more and is much thicker than the pen, if it shows nothing itself;
- a thin line along whole sides or at corners, if the ink keeps clear of all other sides. A line at
  the border of a picture that is cropped to its formula may belong to it (an overline), so
  there it stays; so do two lines left and right that look like the ink (delimiters).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.stroke_width import stroke_width

_PIXELS = 2_000_000  # what is looked at; a larger picture is made smaller for it
_PAPERS = 3  # levels tried for the sheet
_PAPER_SHARE = 0.05  # of the picture
_TOLERANCE = (16, 40)  # levels by which pixels of the sheet differ from its own, least and most
_ALONG = 0.4  # of each side that a ring covers; its corners may be rounded
_RING = 0.85  # of its box that a ring encloses; a circle encloses 0.79
_ATTACHED = 0.1  # of a ring's pixels that lie neither along the sides nor at the corners
_COVERED = 0.5  # of a side that a thick part covers
_THICK = 4.0  # pens
_WHOLE = 0.97  # of a side that a line covers
_THIN = 0.08  # of the picture's shorter side
_CORNER = 0.15  # likewise: how far a piece at a corner reaches
_CLEAR = 0.03  # of the picture's shorter side: between the ink and the other sides
_BLOCK = 8  # pixels of a JPEG's
_LIKE_INK = (0.4, 2.6)  # pens: width of a delimiter
_OTHER_LEVEL = 0.25  # of the ink's contrast: a delimiter has the same
_DARKEST = 0.9  # share of a part's pixels: what is beyond is not its edge
_FLAT = 40  # levels that a thick part is farther from the paper at its farthest
_SHOWS = 0.0005  # share of the pixels: more is ink
_UNTOLD = 0.3  # of a side that neither paper nor surroundings cover
_SHEET = 0.9  # of its box that the sheet fills
_MOST_INK = 0.25  # of the sheet
_ON_SHEET = 0.55  # of the sheet that is paper
_WIDE = 0.25  # of the sheet's shorter side: ink is less wide
_INK = 0.0002  # of the picture
_RIM = 2  # pixels beside what is taken out that are its edge
_LEAST_SIDE = 24  # pixels of a picture that is looked at
_TURNS = 3


def remove_surroundings(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with frames and dark or light edges filled with the level of the paper.

    Args:
        grey: (H, W).

    Returns:
        The same array where there are none.
    """
    for _ in range(_TURNS):  # a frame may lie within a letterbox
        if min(grey.shape) < _LEAST_SIDE:
            return grey
        found = _found(grey)
        if found is None:
            return grey
        grey = np.where(found.taken, np.uint8(found.paper), grey)
    return grey


class _Surroundings(NamedTuple):
    taken: NDArray[np.bool_]
    paper: int


def _found(grey: NDArray[np.uint8]) -> _Surroundings | None:
    many = int(np.ceil(np.sqrt(grey.size / _PIXELS)))
    small = grey if many == 1 else np.asarray(Image.fromarray(grey).reduce(many))
    for paper, tolerance in _papers(small):
        other = np.abs(small.astype(np.int16) - paper) > tolerance
        taken = _taken(small, other, paper)
        if taken is not None:
            taken = ndimage.maximum_filter(taken, 2 * _RIM + 1)
            if many > 1:
                taken = taken.repeat(many, 0).repeat(many, 1)[: grey.shape[0], : grey.shape[1]]
            return _Surroundings(taken, paper)
    return None


def _papers(grey: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Levels that the sheet may have, the most frequent first, with their tolerance."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    found = []
    for _ in range(_PAPERS):
        smooth = np.convolve(counts, np.ones(7), "same")
        level = int(smooth.argmax())
        near = slice(max(0, level - 30), level + 31)
        share = counts[near].sum() / grey.size
        if share < _PAPER_SHARE:
            break
        levels = np.arange(256)[near]
        spread = float((counts[near] * np.abs(levels - level)).sum() / counts[near].sum())
        found.append((level, int(np.clip(6 * spread, *_TOLERANCE))))
        counts[near] = 0
    return found


class _Part(NamedTuple):
    """A connected part that touches the border.

    Attributes:
        cells: (H, W).
        sides: share of the top, bottom, left and right side that it covers.
        thickness: of its thickest place, pixels.
    """

    cells: NDArray[np.bool_]
    sides: tuple[float, float, float, float]
    thickness: float


def _taken(
    grey: NDArray[np.uint8], other: NDArray[np.bool_], paper: int
) -> NDArray[np.bool_] | None:
    """What surrounds a sheet of that paper, (H, W); None if nothing does, or it is no sheet."""
    labels, count = ndimage.label(other, np.ones((3, 3), bool))
    ends = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    numbers = np.unique(np.concatenate(ends))
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return None
    inside = np.ones(count + 1, bool)
    inside[numbers] = inside[0] = False
    ink = inside[labels]
    if ink.sum() < _INK * ink.size:
        return None
    covered = [np.bincount(end, minlength=count + 1) / len(end) for end in ends]
    worth = [n for n in numbers if max(side[n] for side in covered) >= 0.02]
    if not worth or len(worth) > 64:
        return None
    pen = stroke_width(np.pad(ink, 1))
    contrast = np.abs(grey.astype(np.int16) - paper).astype(np.uint8)
    taken = np.zeros(grey.shape, bool)
    lines: list[_Part] = []
    for number in worth:
        cells = labels == number
        sides = tuple(float(side[number]) for side in covered)
        part = _Part(cells, sides, _thickness(cells))  # type: ignore[arg-type]
        if _is_ring(part):
            taken |= _near_border(part)
        elif _is_edge(part, pen, grey, paper):
            taken |= _without_ink(cells, pen)
        elif _is_line(part, pen) or _is_corner(part):
            lines.append(part)
    large = numbers[np.bincount(labels.ravel(), minlength=count + 1)[numbers] >= pen**2]
    rest = np.isin(labels, large) & ~taken
    for part in lines:
        rest &= ~part.cells
    if max(_shares(rest)) > _UNTOLD:
        return None  # something else along a side: the level is no sheet's
    if (
        lines
        and not rest.any()
        and _is_clear(ink, lines)
        and not _delimits(lines, pen, contrast, ink)
    ):
        for part in lines:
            taken |= part.cells
    if not taken.any() or not _is_sheet(taken, other, ink):
        return None
    return taken


def _shares(cells: NDArray[np.bool_]) -> tuple[float, ...]:
    """How much of the top, bottom, left and right side they cover."""
    ends = (cells[0], cells[-1], cells[:, 0], cells[:, -1])
    return tuple(float(end.mean()) for end in ends)


def _thickness(cells: NDArray[np.bool_]) -> float:
    rows, columns = (np.flatnonzero(cells.any(axis)) for axis in (1, 0))
    box = cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return 2.0 * float(ndimage.distance_transform_cdt(np.pad(box, 1)).max())


def _is_ring(part: _Part) -> bool:
    if min(part.sides) < _ALONG:
        return False
    return bool(ndimage.binary_fill_holes(part.cells).mean() >= _RING) and part.cells.mean() < 0.5


def _near_border(part: _Part) -> NDArray[np.bool_]:
    """A ring without ink that touches it: its sides by their usual thickness, and its corners."""
    cells = part.cells
    corner = int(2 * _CORNER * min(cells.shape))
    zone = np.zeros(cells.shape, bool)
    views = ((zone, cells), (zone[::-1], cells[::-1]))
    turned = ((zone.T, cells.T), (zone.T[::-1], cells.T[::-1]))
    for view, mask in (*views, *turned):
        quarter = mask.shape[1] // 4
        middle = mask[:, quarter:-quarter]
        first = middle.argmax(0)
        past = ~middle & (np.arange(len(middle))[:, None] >= first)
        view[: int(np.median(past.argmax(0))) + 2] = True
    corners = np.zeros(cells.shape, bool)
    for rows in (slice(0, corner), slice(-corner, None)):
        for columns in (slice(0, corner), slice(-corner, None)):
            corners[rows, columns] = True
    if (cells & ~zone & ~corners).sum() > _ATTACHED * cells.sum():
        return cells & zone  # ruled lines, which end at it
    found: NDArray[np.bool_] = cells & (zone | corners)
    return found


def _is_edge(part: _Part, pen: float, grey: NDArray[np.uint8], paper: int) -> bool:
    if max(part.sides) < _COVERED or part.thickness < _THICK * pen:
        return False
    # Half of a sheet that lies in a shadow, or in the light, shows ink: farther from the paper's
    # level than its own, on the other side of it, or as holes. A soft edge is nearer.
    beyond = grey[part.cells].astype(np.float32) - paper
    usual, most = np.median(beyond), np.quantile(np.abs(beyond), 0.995)
    if most - abs(usual) > _FLAT or (np.sign(usual) * beyond < -_FLAT).mean() > _SHOWS:
        return False
    holes, count = ndimage.label(ndimage.binary_fill_holes(part.cells) & ~part.cells)
    areas = np.bincount(holes.ravel(), minlength=count + 1)[1:] / grey.size
    return bool(areas[areas < _PAPER_SHARE].sum() <= _SHOWS)


def _without_ink(cells: NDArray[np.bool_], pen: float) -> NDArray[np.bool_]:
    """A thick part without lines that touch it: what is near a thick place, or the border."""
    half = max(2, round(_THICK / 2 * pen))
    core = ndimage.distance_transform_cdt(np.pad(cells, half, mode="edge")) >= half
    near = ndimage.maximum_filter(core, 2 * half + 2 * _BLOCK + 1)[half:-half, half:-half]
    near[:half] = near[-half:] = near[:, :half] = near[:, -half:] = True
    found: NDArray[np.bool_] = cells & near
    return found


def _is_line(part: _Part, pen: float) -> bool:
    """Whether it lies along a side: from corner to corner, or half of it and round a corner."""
    thin = max(4, _THIN * min(part.cells.shape), _THICK * pen)
    if max(part.sides) >= _WHOLE:
        return bool(part.thickness <= thin)
    rows, columns = (np.ptp(np.flatnonzero(part.cells.any(axis))) for axis in (1, 0))
    touched = sum(side > 0 for side in part.sides)
    return bool(max(part.sides) >= _COVERED and touched > 1 and min(rows, columns) <= thin)


def _is_corner(part: _Part) -> bool:
    top, bottom, left, right = (side > 0 for side in part.sides)
    if not ((top or bottom) and (left or right)) or (top and bottom) or (left and right):
        return False
    rows, columns = (np.flatnonzero(part.cells.any(axis)) for axis in (1, 0))
    return bool(max(np.ptp(rows), np.ptp(columns)) <= _CORNER * min(part.cells.shape))


def _is_clear(ink: NDArray[np.bool_], lines: list[_Part]) -> bool:
    """Whether the ink keeps clear of every side that has no line."""
    near = np.zeros(ink.shape, bool)  # what JPEG draws around a line is no ink
    for part in lines:
        near |= ndimage.maximum_filter(part.cells, 2 * _BLOCK + 1)
    ink = ink & ~near
    covered = [max(part.sides[side] for part in lines) >= _WHOLE for side in range(4)]
    clear = max(2, round(_CLEAR * min(ink.shape)))
    ends = (ink[:clear], ink[-clear:], ink[:, :clear], ink[:, -clear:])
    return not any(end.any() for end, line in zip(ends, covered, strict=True) if not line)


def _delimits(
    lines: list[_Part], pen: float, contrast: NDArray[np.uint8], ink: NDArray[np.bool_]
) -> bool:
    """Whether there is a line left and a line right and no other, each like the ink."""
    covered = [max(part.sides[side] for part in lines) >= _COVERED for side in range(4)]
    if covered != [False, False, True, True]:
        return False
    darkest = np.quantile(contrast[ink], _DARKEST)
    lines = [part for part in lines if max(part.sides) >= _COVERED]
    return all(
        _LIKE_INK[0] * pen <= part.thickness <= _LIKE_INK[1] * pen
        and abs(np.quantile(contrast[part.cells], _DARKEST) - darkest) < _OTHER_LEVEL * darkest
        for part in lines
    )


def _is_sheet(taken: NDArray[np.bool_], other: NDArray[np.bool_], ink: NDArray[np.bool_]) -> bool:
    """Whether what is left is a rectangle of paper with something thin on it."""
    sheet = ~taken
    shares = (sheet.mean(axis) for axis in (1, 0))
    rows, columns = (np.flatnonzero(share > 0.3 * share.max()) for share in shares)
    if not len(rows) or not len(columns):
        return False
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if ink[box].sum() > _MOST_INK * sheet[box].sum():
        return False  # a letter and what it encloses
    if sheet[box].mean() < _SHEET or (sheet & ~other)[box].mean() < _ON_SHEET:
        return False
    return bool(stroke_width(np.pad(ink, 1)) < _WIDE * min(sheet[box].shape))
