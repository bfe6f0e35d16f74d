"""Numbers with nouns, for messages."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun, in the singular or the plural.

    Example:
        >>> counted(1, "problem"), counted(2000, "problem"), counted(0, "entry", "entries")
        ('1 problem', '2,000 problems', '0 entries')

    Args:
        count: the number.
        noun: in the singular; further words can precede it.
        plural: the noun in the plural, if it does not end in just one more "s".
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
