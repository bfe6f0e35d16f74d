"""What every metric over pairs of token sequences agrees on: its input, its states, its value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torchmetrics import Metric

Tokens: TypeAlias = Sequence[str]


class PairMetric(Metric):
    """A metric over predictions and references, each a list of tokens.

    Its states are int64 sums.

    Attributes:
        name: the metric's name in logs, tables and results.
    """

    is_differentiable = False
    full_state_update = False
    name: str

    def add_sum(self, name: str, size: int | None = None) -> None:
        """Adds an int64 state, summed over processes; a vector where `size` is given."""
        zero = torch.zeros(() if size is None else size, dtype=torch.int64)
        self.add_state(name, zero, dist_reduce_fx="sum")

    def value(self, number: float) -> Tensor:
        """`number` as the metric's value, a scalar on the metric's device."""
        return scalar(number, self.device)


def scalar(number: float, device: torch.device) -> Tensor:
    """A float64 scalar; float32 on Apple's GPUs, which have no float64."""
    return torch.tensor(
        number, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device
    )


def pairs(
    predictions: Sequence[Tokens | None], references: Sequence[Tokens]
) -> Iterator[tuple[Tokens | None, Tokens]]:
    """Pairs of prediction and reference, after a check.

    Args:
        predictions: a token list a sample, or None where there is no prediction.
        references: the gold token lists, in the same order.

    Yields:
        Pairs, in order.

    Raises:
        ValueError: if the numbers differ.
        TypeError: for a string where a list of tokens belongs.
    """
    if len(predictions) != len(references):
        raise ValueError(
            f"{len(predictions)} predictions against {len(references)} references: "
            "pass one prediction a reference, None for a missing one."
        )
    for pair in zip(predictions, references, strict=True):
        for tokens in pair:
            if isinstance(tokens, str):
                raise TypeError(f"expected a list of tokens, got the string {tokens!r}.")
        yield pair
