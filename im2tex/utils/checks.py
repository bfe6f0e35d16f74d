"""Numbers of components that cannot be meant: what constructors refuse them with."""

from __future__ import annotations

import math


def check_shares(**shares: float) -> None:
    """Refuses a dropout, or the like, that would leave nothing, or more than there is.

    Raises:
        ValueError: if a value is out of range.
    """
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{name} is at least 0 and below 1; got {share}")


def check_weights(**weights: float) -> None:
    """Refuses what would make an added loss reward what it should punish.

    Raises:
        ValueError: if a value is out of range.
    """
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} is at least 0; got {weight}")


def check_least(least: int, **numbers: float) -> None:
    """Refuses what would be less than none of a thing, or less than there has to be.

    Raises:
        ValueError: if a number is smaller.
    """
    for name, number in numbers.items():
        if not number >= least:
            raise ValueError(f"{name} is at least {least}; got {number}")
