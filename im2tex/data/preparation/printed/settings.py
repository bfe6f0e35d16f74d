"""Settings of the source `arxiv`: for a preparation, and to select a part of a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.utils.checks import check_settings

PAPER = {
    "max_tokens": 150,
    "min_characters": 40,
    "max_characters": 1024,
    "validation": 0.09,
    "test": 0.1,
}
"""The paper's settings (sections 3 and 4 of Deng et al. 2017)."""

_LIMITS = {"train": "limit", "validation": "limit_validation", "test": "limit_test"}


@dataclass(frozen=True)
class ArxivSettings:
    """Settings of a data set, None if not given; see `ArxivSource` for their meaning.

    Attributes:
        limit: maximum number of samples in `train`.
        limit_validation: maximum number of samples in `validation`.
        limit_test: maximum number of samples in `test`.
        max_tokens: length of the longest label in training and validation.

    Raises:
        Im2TexError: if a value is out of range.
    """

    limit: int | None = None
    limit_validation: int | None = None
    limit_test: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in (*_LIMITS.values(), "max_tokens")}
        check_settings("source_args: ", 1, **counts)

    def resolved(self) -> dict[str, Any]:
        """Returns all settings, with the paper's values and proportional limits as defaults."""
        resolved = {**PAPER, **self._given()}
        limits = {split: resolved.pop(name, None) for split, name in _LIMITS.items()}
        if (train := limits["train"]) is not None:
            rest = 1 - resolved["validation"] - resolved["test"]
            for split in ("validation", "test"):
                if limits[split] is None:
                    limits[split] = max(1, round(train * resolved[split] / rest))
        return {**resolved, "limits": limits}

    def to_yaml(self) -> str:
        """Returns the given settings as a YAML mapping on one line, "" if none is given."""
        given = self._given()
        text: str = yaml.safe_dump(given, default_flow_style=True, sort_keys=False, width=10_000)
        return text.strip() if given else ""

    def conflicts_with(self, stored: Mapping[str, Any]) -> list[str]:
        """Returns a description of each setting that a store cannot serve.

        Args:
            stored: `resolved()` of the settings that the store was made with.
        """
        most = stored["max_tokens"]
        if self.max_tokens is not None and self.max_tokens > most:
            return [f"max_tokens={self.max_tokens}, made with {most}"]
        return []

    def select(self, split: Split, name: str) -> Split:
        """Returns the first samples of a stored split that match the settings.

        Raises:
            Im2TexError: if the store was made with a limit and has too few matching samples.
        """
        stored = split.metadata["settings"]
        limit = getattr(self, _LIMITS[name]) if name in _LIMITS else None
        longest = self.max_tokens if name != "test" else None
        if longest is not None and longest >= stored["max_tokens"]:
            longest = None
        indices = list(range(len(split)))
        if longest is not None:
            lengths = [len(tokens) for tokens in split.tokens()]
            indices = [i for i in indices if lengths[i] <= longest]
        if limit is not None:
            most = stored["limits"].get(name)
            # A store below its own limit has all samples of the raw data.
            if most is not None and len(indices) < limit and len(split) >= most:
                raise Im2TexError(
                    f"source_args: {_LIMITS[name]}={limit}, but {split.path} was made with at "
                    f"most {most} samples, of which {len(indices)} match the other settings. "
                    "Prepare it again with these settings, or reduce the limit."
                )
            indices = indices[:limit]
        if len(indices) == len(split):
            return split
        chosen = {"max_tokens": longest, "limit": limit}
        return split.take(
            indices, {"selection": {key: value for key, value in chosen.items() if value}}
        )

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}
