"""What an attention is, and the registry of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.grid import Grid
from im2tex.registry import Registry

Lazy = Tensor | Callable[[], Tensor]
"""A tensor, or how to make it once it is asked for."""


class AttentionOutput:
    """What one step of attention gives, for K queries an image.

    The weights of an attention that looks at few cells are made when they are read: to write down
    a zero for every other cell would cost it what it saves.

    Args:
        context: (B, K, D).
        weights: (B, K, h * w), over the fine cells in row-major order; sums to 1. Or how to make
            them.
        state: what the next step needs (coverage), first two dimensions (B, K), or None.
        coarse_lookups: coarse cells scored at this step, (B, K) float.
        fine_lookups: fine cells scored at this step, (B, K) float.
        log_probability: (B, K) of the sample drawn, for an attention trained by REINFORCE.
        coarse_weights: (B, K, h' * w') p(z'), over the coarse cells; or how to make it; None for
            an attention without them.
        supervised_weights: (B, K, h * w), or how to make it: the weights that the
            guided attention loss trains; `weights` if not given.
    """

    __slots__ = (
        "_coarse_weights",
        "_supervised_weights",
        "_weights",
        "coarse_lookups",
        "context",
        "fine_lookups",
        "log_probability",
        "state",
    )

    def __init__(
        self,
        context: Tensor,
        weights: Lazy,
        state: Tensor | None,
        coarse_lookups: Tensor,
        fine_lookups: Tensor,
        log_probability: Tensor | None = None,
        coarse_weights: Lazy | None = None,
        supervised_weights: Lazy | None = None,
    ) -> None:
        self.context = context
        self.state = state
        self.coarse_lookups = coarse_lookups
        self.fine_lookups = fine_lookups
        self.log_probability = log_probability
        self._weights = weights
        self._coarse_weights = coarse_weights
        self._supervised_weights = supervised_weights

    @property
    def weights(self) -> Tensor:
        """(B, K, h * w)."""
        if not isinstance(self._weights, Tensor):
            self._weights = self._weights()
        return self._weights

    @property
    def coarse_weights(self) -> Tensor | None:
        """(B, K, h' * w') or None."""
        if self._coarse_weights is not None and not isinstance(self._coarse_weights, Tensor):
            self._coarse_weights = self._coarse_weights()
        return self._coarse_weights

    @property
    def supervised_weights(self) -> Tensor:
        """(B, K, h * w)."""
        if self._supervised_weights is None:
            return self.weights
        if not isinstance(self._supervised_weights, Tensor):
            self._supervised_weights = self._supervised_weights()
        return self._supervised_weights


@dataclass(frozen=True, slots=True)
class ReinforceOptions:
    """How an attention that samples is trained: by REINFORCE, which the decoder does.

    Attributes:
        samples: paths drawn an image.
        discount: gamma; a sample is rewarded by the log-likelihood of the token that it led to,
            and of those after it by gamma, gamma^2, ...
        baseline_rate: weight of the new value in the moving average of each step's return.
        entropy: weight of the entropy of the coarse distributions, in nats, as a bonus.
        reward_scale: factor of the reward beside the likelihood's own gradient.

    Raises:
        ValueError: if a value is out of range.
    """

    samples: int = 1
    discount: float = 0.5
    baseline_rate: float = 0.01
    entropy: float = 0.0
    reward_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples is at least 1; got {self.samples}")
        for name in ("discount", "baseline_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} lies in 0..1; got {getattr(self, name)}")
        for name in ("entropy", "reward_scale"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is at least 0; got {getattr(self, name)}")


class Attention(nn.Module, ABC):
    """Attends to a grid.

    The grid is laid out once an image by `prepare`; every step then scores K queries an image
    (the hypotheses of a beam) against that one memory, which is never repeated.

    Attributes:
        needs_coarse: whether the encoder has to give a coarse grid.
        inactive_when: arguments that do nothing where another has a value: its name and that value.
        sampling: how it is trained if it samples in training; else None.
    """

    needs_coarse: ClassVar[bool] = False
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    sampling: ReinforceOptions | None = None

    @abstractmethod
    def prepare(self, grid: Grid) -> Any:
        """Lays a grid out for `forward`; opaque to the decoder."""

    @abstractmethod
    def select(self, memory: Any, images: Tensor) -> Any:
        """The memory of some of the images.

        Args:
            memory: what `prepare` gave.
            images: (B',) indices.
        """

    @abstractmethod
    def forward(self, query: Tensor, memory: Any, state: Tensor | None) -> AttentionOutput:
        """One step.

        Args:
            query: (B, K, Q).
            memory: what `prepare` gave for the B images.
            state: the previous step's `AttentionOutput.state`, or None at the first step.
        """


ATTENTIONS: Registry[Attention] = Registry(
    "attention",
    group="im2tex.attention",
    builtin=(
        "im2tex.attention.standard",
        "im2tex.attention.coarse_only",
        "im2tex.attention.hierarchical",
        "im2tex.attention.sparse",
        "im2tex.attention.hard",
        "im2tex.attention.coverage",
    ),
    given=("query_width", "width", "coarse_width"),
)
