"""What an attention is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.grid import Grid
from im2tex.registry import Registry


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one step of attention gives, for K queries an image.

    Attributes:
        context: (B, K, D).
        weights: (B, K, h * w), over the fine cells in row-major order; sums to 1.
        state: what the next step needs (coverage), first two dimensions (B, K), or None.
        coarse_lookups: coarse cells scored at this step, (B, K) float.
        fine_lookups: fine cells scored at this step, (B, K) float.
        log_probability: (B, K) of the sample drawn, for an attention trained by REINFORCE.
    """

    context: Tensor
    weights: Tensor
    state: Tensor | None
    coarse_lookups: Tensor
    fine_lookups: Tensor
    log_probability: Tensor | None = None


class Attention(nn.Module, ABC):
    """Attends to a grid.

    The grid is laid out once an image by `prepare`; every step then scores K queries an image
    (the hypotheses of a beam) against that one memory, which is never repeated.

    Attributes:
        needs_coarse: whether the encoder has to give a coarse grid.
    """

    needs_coarse: ClassVar[bool] = False

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
    def forward(self, query: Tensor, memory: Any, state: Tensor | None) -> Glimpse:
        """One step.

        Args:
            query: (B, K, Q).
            memory: what `prepare` gave for the B images.
            state: the previous step's `Glimpse.state`, or None at the first step.
        """


ATTENTIONS: Registry[Attention] = Registry(
    "attention",
    group="im2tex.attention",
    builtin=("im2tex.attention.standard",),
    given=("query_width", "width", "coarse_width"),
)
