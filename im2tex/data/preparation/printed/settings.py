"""What a printed data set holds: said once when it is made, and again for a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from im2tex.data.store import Split
from im2tex.errors import Im2TexError

PAPER = {
    "kinds": None,
    "max_tokens": 150,
    "min_characters": 40,
    "max_characters": 1024,
    "validation": 0.09,
    "test": 0.1,
}
"""The paper's settings (sections 3 and 4 of Deng et al. 2017); `kinds` is both."""

_SAME = ("min_characters", "max_characters", "validation", "test")


@dataclass(frozen=True)
class Settings:
    """Settings of a data set, None for those not given; see `ArxivSource` for their meaning.

    Attributes:
        limits: most samples, by split.
        kinds: of formulas.
        max_tokens: longest label in training and validation.
        min_characters: formulas are longer.
        max_characters: formulas are shorter.
        validation: share of the papers.
        test: share of the papers.

    Raises:
        Im2TexError: for a value out of range.
    """

    limits: Mapping[str, int | None] = field(default_factory=dict)
    kinds: list[str] | None = None
    max_tokens: int | None = None
    min_characters: int | None = None
    max_characters: int | None = None
    validation: float | None = None
    test: float | None = None

    def __post_init__(self) -> None:
        named = {_limit_name(split): limit for split, limit in self.limits.items()}
        for name, value in {**named, "max_tokens": self.max_tokens}.items():
            if value is not None and value < 1:
                raise Im2TexError(f"source_args: {name} is at least 1, got {value}.")
        filled = self.filled()
        if not 0 <= filled["min_characters"] < filled["max_characters"]:
            raise Im2TexError(
                f"source_args: min_characters={filled['min_characters']} is not below "
                f"max_characters={filled['max_characters']}."
            )
        shares = filled["validation"], filled["test"]
        if min(shares) < 0 or sum(shares) >= 1:
            raise Im2TexError(
                f"source_args: validation={shares[0]} and test={shares[1]} are shares that leave "
                "something to train on."
            )
        if self.kinds == []:
            raise Im2TexError("source_args: kinds is empty: name d, i or both.")

    def filled(self) -> dict[str, Any]:
        """All of them, the paper's where none is given; limits in proportion to the shares."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        filled = {**PAPER, **given}
        limits, train = dict(self.limits), self.limits.get("train")
        if train is not None:
            rest = 1 - filled["validation"] - filled["test"]
            for split in ("validation", "test"):
                if limits.get(split) is None:
                    limits[split] = max(1, round(train * filled[split] / rest))
        return {**filled, "limits": limits}

    def given(self) -> str:
        """Those that were given, as a YAML mapping on one line; nothing if there are none."""
        limits = {_limit_name(split): limit for split, limit in self.limits.items()}
        rest = {name: value for name, value in asdict(self).items() if name != "limits"}
        known = {name: value for name, value in (limits | rest).items() if value is not None}
        text: str = yaml.safe_dump(known, default_flow_style=True, sort_keys=False, width=10_000)
        return text.strip() if known else ""

    def differences(self, made: Mapping[str, Any]) -> list[str]:
        """Settings that a store cannot serve.

        Args:
            made: `filled` as the store was made.
        """
        found = [
            f"{name}={getattr(self, name)}, made with {made[name]}"
            for name in _SAME
            if getattr(self, name) is not None and getattr(self, name) != made[name]
        ]
        if self.kinds is not None and not set(self.kinds) <= set(made["kinds"] or self.kinds):
            found.append(f"kinds={self.kinds}, made with {made['kinds']}")
        if self.max_tokens is not None and self.max_tokens > made["max_tokens"]:
            found.append(f"max_tokens={self.max_tokens}, made with {made['max_tokens']}")
        return found

    def select(self, split: Split, name: str) -> Split:
        """The part of a stored split that the settings ask for: the first samples that fit.

        Raises:
            Im2TexError: if the store was made with a limit, and too few fit.
        """
        made = split.metadata["settings"]
        limit = self.limits.get(name)
        kinds = self.kinds if self.kinds is not None and self.kinds != made["kinds"] else None
        longest = self.max_tokens if name != "test" else None
        if longest is not None and longest >= made["max_tokens"]:
            longest = None
        numbers = list(range(len(split)))
        if kinds is not None:
            found = list(split.extras("kind"))
            numbers = [n for n in numbers if found[n] in kinds]
        if longest is not None:
            lengths = [len(tokens) for tokens in split.tokens()]
            numbers = [n for n in numbers if lengths[n] <= longest]
        if limit is not None:
            stored = made["limits"].get(name)
            # A store that could not be filled holds all that there was.
            if stored is not None and len(numbers) < limit and len(split) >= stored:
                raise Im2TexError(
                    f"source_args: {_limit_name(name)}={limit}, but {split.path} was made with at "
                    f"most {stored} samples, of which {len(numbers)} are as the other settings "
                    "ask. Prepare it again with these settings, or ask for fewer."
                )
            numbers = numbers[:limit]
        if len(numbers) == len(split):
            return split
        chosen = {"kinds": kinds, "max_tokens": longest, "limit": limit}
        return split.take(
            numbers, {"selection": {key: value for key, value in chosen.items() if value}}
        )


def _limit_name(split: str) -> str:
    return "limit" if split == "train" else f"limit_{split}"
