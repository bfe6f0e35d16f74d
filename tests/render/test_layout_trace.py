"""How a page is told by another one that has marks, on pages made here."""

import time

import pytest

from im2tex.render.layout.dvi import MARK, RULE, Item
from im2tex.render.layout.trace import UnmatchedGlyphError, trace


def page(text):
    """Characters as glyphs, digits as marks, `+` and `-` as what encloses, `=` as a rule."""
    items = []
    for x, character in enumerate(text):
        if character in "+-0123456789":
            items.append(Item(MARK, character, 0, x, 0))
        elif character == "=":
            items.append(Item(RULE, "", 0, x, 0, 5, 1))
        else:
            items.append(Item(ord(character), "cmr12", 12, x, 0))
    return items


def owners(plain, marked):
    return [one.mark for one in trace(page(plain), page(marked))]


def test_ink_belongs_to_the_mark_before_it_and_to_the_command_after_its_arguments():
    assert owners("ab", "0a1b") == [0, 1]
    # A fraction: its bar comes between its parts.
    assert owners("a=b", "0+1a-=+2b-") == [1, 0, 2]
    assert owners("ab=c", "0+1a+2b--=+3c-") == [1, 2, 0, 3]


def test_a_ligature_is_shared_out():
    plain = [Item(14, "cmr12", 12, 0, 0), *page("x")]  # ffi
    traced = trace(plain, page("0f1f2i3x"))
    assert [(one.mark, one.part) for one in traced] == [
        (0, (0, 3)),
        (1, (1, 3)),
        (2, (2, 3)),
        (3, (0, 1)),
    ]
    # The same number is a sign in a font of symbols.
    sign = Item(14, "cmsy10", 12, 0, 0)
    assert [one.mark for one in trace([sign], [*page("0"), sign])] == [0]


def test_a_bracket_may_have_another_number_of_pieces():
    assert owners("(abbbbc)", "0(1abb2c3)") == [0, 1, 1, 1, 1, 1, 2, 3]
    assert owners("(ac)", "0(1abb2c3)") == [0, 1, 2, 3]
    assert owners("x!y", "0x1[[[2y") == [0, 1, 2]
    # Beside another one that changes, too.
    assert owners("a!)b", "0a1!!2]3b") == [0, 1, 2, 3]
    assert owners("a!!)b", "0a1!2]3b") == [0, 1, 1, 2, 3]
    assert owners("a(!b", "0a1[2!!3b") == [0, 1, 2, 3]


def test_two_scripts_may_change_places():
    assert owners("xpqyyy", "0x2q1p3y4y5y") == [0, 1, 2, 3, 4, 5]
    assert owners("xpq)y", "0x2q1p3[[[4y") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("plain", "marked"),
    [("ab", "a0b"), ("a", "0a-"), ("abc", "0a1c"), ("ac", "0a1b2d3c"), ("0a", "0a")],
)
def test_what_is_not_sure_is_refused(plain, marked):
    with pytest.raises(UnmatchedGlyphError):
        trace(page(plain), page(marked))


def test_a_mark_that_is_none_of_ours_is_refused():
    with pytest.raises(UnmatchedGlyphError, match="psfile"):
        trace(page("a"), [Item(MARK, "psfile", 0, 0, 0), *page("a")])


def test_pages_that_differ_throughout_take_no_time():
    started = time.process_time()
    with pytest.raises(UnmatchedGlyphError, match="too long"):
        trace(page("ab" * 5000), page("0" + "b" * 10000))
    assert time.process_time() - started < 5
