"""Assigns texts to splits by a hash, so that texts that are added later move no other text."""

from __future__ import annotations

from hashlib import sha256


def hash_fraction(text: str) -> float:
    """Returns a number in [0, 1) that depends on the text alone, uniform over different texts."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") / 2**64
