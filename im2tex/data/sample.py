"""`Sample`: one formula as a source gives it, before any preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from im2tex.ink.ink import Ink
from im2tex.render.layout.layout import Layout


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A formula to be written by hand when it is loaded.

    Attributes:
        layout: its symbols in their places.
        unit: `ink_size` of the ink that it first became, in the layout's unit.
        width: of that ink, in the same unit.
        height: likewise.
    """

    layout: Layout
    unit: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One formula.

    At most one of `ink`, `image` and `laid_out` is given. With none, nothing could be drawn, and
    `extra["failed"]` says why: such a sample is no use in training, and counts as wrong in a test.

    Attributes:
        key: unique within its split, stable between runs.
        latex: the markup as found.
        tokens: its canonical tokens; empty where there is no label.
        ink: the strokes.
        image: an encoded picture (PNG or JPEG bytes), ink of either polarity.
        extra: whatever else the source knows, as text (`writer`, `collection`, …).
        laid_out: the layout of synthetic handwriting, from which ink is written at load time.
    """

    key: str
    latex: str
    tokens: tuple[str, ...]
    ink: Ink | None = None
    image: bytes | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    laid_out: LaidOut | None = None
