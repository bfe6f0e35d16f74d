"""`Sample`: one formula as a source provides it, before preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from im2tex.ink.ink import Ink
from im2tex.render.layout.layout import Layout


@dataclass(frozen=True, slots=True)
class StoredLayout:
    """The layout of a formula that becomes handwriting when the sample is loaded.

    The sizes are those of one ink made from the layout, in the layout's unit.

    Attributes:
        layout: the symbols and their boxes.
        ink_size: the characteristic symbol size, `ink.scale.ink_size`.
        width: width of the ink.
        height: height of the ink.
    """

    layout: Layout
    ink_size: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One formula.

    At most one of `ink`, `image` and `layout` is set. If none is, the formula could not be rendered
    and `extra["failed"]` gives the reason: training drops it, evaluation counts it as wrong.

    Example:
        >>> Sample("id-1", "x^2", ("x", "^", "2"), image=Path("formula.png").read_bytes())

    Attributes:
        key: unique within the split, the same in every run.
        latex: the original markup.
        tokens: its canonical tokens; empty without a label.
        ink: the strokes.
        image: an encoded image (PNG or JPEG bytes), dark on light or light on dark.
        extra: further text about the sample (`writer`, `collection`, ...).
        layout: from which the ink is synthesised at load time.
    """

    key: str
    latex: str
    tokens: tuple[str, ...]
    ink: Ink | None = None
    image: bytes | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    layout: StoredLayout | None = None
