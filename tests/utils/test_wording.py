"""Numbers with nouns."""

import pytest

from im2tex.utils.wording import counted


@pytest.mark.parametrize(
    ("count", "plural", "expected"),
    [
        (0, None, "0 entrys"),
        (1, None, "1 entry"),
        (1, "entries", "1 entry"),
        (1234, "entries", "1,234 entries"),
    ],
)
def test_counted_noun_is_in_singular_for_one_only(count, plural, expected):
    assert counted(count, "entry", plural) == expected
