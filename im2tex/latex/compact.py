r"""Tokens to markup as people write it: `\frac{a}{b}`, not `\frac { a } { b }`."""

from __future__ import annotations

from collections.abc import Sequence


def compact(tokens: Sequence[str]) -> str:
    """Joins tokens with no more spaces than LaTeX needs: one between a command and a letter."""
    parts: list[str] = []
    for token in tokens:
        word = parts and parts[-1][:1] == "\\" and parts[-1][-1:].isalpha()
        parts.append(f" {token}" if word and token[:1].isalpha() else token)
    return "".join(parts)
