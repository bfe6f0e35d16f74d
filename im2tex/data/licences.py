"""What a prepared split is made of, and under which licences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_licences(metadata: Mapping[str, Any]) -> list[str]:
    """The parts of a split's data, each with its licence in parentheses.

    Example:
        >>> describe_licences({"source": "crohme", "licence": "CC BY-NC-SA 3.0"})
        ['crohme (CC BY-NC-SA 3.0)']

    Args:
        metadata: of a split, with `source` and `licence`: a text, or texts by the name of the part.
    """
    source, licence = str(metadata.get("source", "unknown")), metadata.get("licence")
    if isinstance(licence, Mapping):
        return [f"{source}: {part} ({text})" for part, text in licence.items()]
    return [f"{source} ({licence or 'no licence stated'})"]
