"""Range checks for the numeric arguments of components, and for settings and options."""

from __future__ import annotations

import math

from im2tex.errors import Im2TexError


def check_fractions(**fractions: float) -> None:
    """Checks that every value, such as a dropout probability, lies in [0, 1).

    Raises:
        ValueError: if a value is out of range.
    """
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise ValueError(f"{name} must be in [0, 1), got {fraction}")


def check_weights(**weights: float) -> None:
    """Checks that every weight of a loss term is finite and not negative.

    Raises:
        ValueError: if a value is out of range.
    """
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} must be >= 0 and finite, got {weight}")


def check_at_least(minimum: int, **values: float) -> None:
    """Checks that no value is below `minimum`; NaN is refused.

    Raises:
        ValueError: if a value is smaller.
    """
    for name, value in values.items():
        if not value >= minimum:
            raise ValueError(f"{name} must be >= {minimum}, got {value}")


def check_settings(prefix: str, minimum: int, /, **settings: float | None) -> None:
    """Checks that no setting is below `minimum`; NaN is refused, None accepted.

    Example:
        >>> check_settings("--", 1, beam_size=beam_size, limit=limit)

    Args:
        prefix: of the settings' names in messages, such as "model.".
        minimum: the smallest value.
        **settings: values by name.

    Raises:
        Im2TexError: if a value is smaller.
    """
    try:
        check_at_least(minimum, **{k: v for k, v in settings.items() if v is not None})
    except ValueError as error:
        raise Im2TexError(f"{prefix}{error}.") from None
