"""The cursor that all readers of LaTeX math share."""

import pytest

from im2tex.latex.tokens import END, LatexError, TokenCursor


def test_cursor_take_at_the_end_returns_end():
    cursor = TokenCursor(["a"])
    assert [cursor.take() for _ in range(3)] == ["a", END, END]
    assert cursor.at == 1


def test_cursor_take_if_reads_only_the_given_token():
    cursor = TokenCursor("ab")
    assert not cursor.take_if("b")
    assert cursor.take_if("a")
    assert cursor.peek() == "b"


def test_cursor_take_solid_skips_spaces():
    cursor = TokenCursor([" ", " ", "a", "b"])
    assert (cursor.peek_solid(), cursor.at) == ("a", 0)
    assert (cursor.take_solid(), cursor.at) == ("a", 3)


@pytest.mark.parametrize(
    ("tokens", "at", "end"),
    [("{a{b}}c", 0, 6), ("{a{b}}c", 2, 5), ("{a{b}}c", 6, 7), ("{a{b}", 0, 5), ("a", 1, 1)],
)
def test_cursor_group_end(tokens, at, end):
    cursor = TokenCursor(tokens)
    assert cursor.group_end(at) == end
    cursor.at = at
    assert cursor.group_end() == end


def test_cursor_expect_another_token_reports_its_position():
    cursor = TokenCursor(["\\frac", "x"])
    cursor.expect("\\frac")
    with pytest.raises(LatexError, match=r"expected '\{' at character 6") as caught:
        cursor.expect("{")
    assert caught.value.source == "\\frac x"


def test_cursor_enter_beyond_the_depth_is_an_error():
    cursor = TokenCursor("", max_depth=2)
    cursor.enter(2)
    with pytest.raises(LatexError, match="nested more than 2 levels"):
        cursor.enter()
