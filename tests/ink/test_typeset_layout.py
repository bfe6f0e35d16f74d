"""The small typesetter's places as a layout: the same pieces as TeX's, without TeX."""

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.builtin_font.typeset import typeset, typeset_layout
from im2tex.render.layout.layout import UNIT, Layout, SymbolKind

FORMULA = r"\frac { \sin x _ { j } } { \sqrt [ 3 ] { y + 1 } } = ( \sum _ { n } z ^ { 2 ^ { k } } )"


def one(layout, token):
    (found,) = [placed for placed in layout.placed if placed.token == token]
    return found


def test_every_written_token_has_its_place_and_its_kind():
    tokens = FORMULA.split()
    layout = typeset_layout(tokens)
    written = {symbol.position for symbol in typeset(tokens).symbols}
    assert {placed.position for placed in layout.placed} == written
    kinds = {placed.token: placed.kind for placed in layout.placed}
    assert kinds[r"\frac"] is SymbolKind.RULE
    assert kinds[r"\sqrt"] is SymbolKind.RADICAL
    assert kinds["("] is kinds[")"] is SymbolKind.DELIMITER
    assert [p.token for p in layout.placed if p.kind is SymbolKind.LETTER] == list("sin")
    assert {tokens[p.position] for p in layout.placed if p.kind is SymbolKind.LETTER} == {r"\sin"}
    assert Layout.from_bytes(layout.to_bytes(), tokens) == layout


def test_places_are_those_of_the_ink():
    tokens = ["a", "+", "b", "^", "{", "2", "}", "-", "\\pi"]
    ink, layout = typeset(tokens), typeset_layout(tokens)
    drawn = np.array(
        [
            np.concatenate([ink.strokes[i] for i in symbol.strokes]).min(axis=0)
            for symbol in ink.symbols
        ]
    )  # (n, 2)
    capital = 0.683 * UNIT
    places = layout.boxes[:, :2] - layout.boxes[0, :2]
    assert np.abs(places - (drawn - drawn[0]) * capital).max() <= 2


def test_lines_and_levels():
    layout = typeset_layout(FORMULA.split())
    assert one(layout, "=").baseline == one(layout, "z").baseline == one(layout, r"\frac").baseline
    assert one(layout, "x").baseline < one(layout, "=").baseline < one(layout, "y").baseline
    assert [one(layout, token).level for token in "z2kj"] == [0, 1, 2, 1]
    assert layout.boxes[:, :2].min(axis=0).tolist() == [0, 0]
    # A capital is as tall as in TeX's fonts, give or take the pen.
    (letter,) = typeset_layout(["H"]).placed
    assert letter.box[3] == pytest.approx(0.683 * UNIT, abs=6)


def test_a_root_knows_its_inside():
    layout = typeset_layout(FORMULA.split())
    left, top, right, bottom = one(layout, r"\sqrt").inner
    for token in ("y", "+", "1"):
        box = one(layout, token).box
        assert left <= box[0] < box[2] <= right
        assert top <= box[1] < box[3] <= bottom


def test_what_cannot_be_set_is_said():
    with pytest.raises(Im2TexError, match="canonical"):
        typeset_layout(["x", "^", "2"])
    with pytest.raises(Im2TexError, match="too wide"):
        typeset_layout(["x"] * 1000)
