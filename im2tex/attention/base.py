"""The attention's interface and the registry of attentions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.grid import Grid
from im2tex.registry import Registry
from im2tex.utils.checks import check_at_least, check_weights

Lazy = Tensor | Callable[[], Tensor]
"""A tensor, or a function that computes it at the first access."""


class AttentionOutput:
    """The result of one attention step for K queries of each image.

    Weights are computed at their first access: the dense tensor would cost a sparse attention what
    it saves.

    Args:
        context: (B, K, D).
        weights: (B, K, h w) over the fine cells in row-major order; sums to 1.
        state: input of the next step (coverage), with the dimensions (B, K, ...), or None.
        coarse_lookups: number of coarse cells scored in this step, (B, K) float.
        fine_lookups: number of fine cells scored in this step, (B, K) float.
        log_probability: (B, K) log-probability of the sampled cell, for an attention trained by
            REINFORCE.
        coarse_weights: (B, K, h' w') p(z') of the coarse cells; None for an attention without.
        supervised_weights: (B, K, h w) weights that the guided attention loss trains; `weights`
            if not given.
    """

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
        """(B, K, h w)."""
        self._weights = _computed(self._weights)
        return self._weights

    @property
    def coarse_weights(self) -> Tensor | None:
        """(B, K, h' w') or None."""
        if self._coarse_weights is None:
            return None
        self._coarse_weights = _computed(self._coarse_weights)
        return self._coarse_weights

    @property
    def supervised_weights(self) -> Tensor:
        """(B, K, h w)."""
        if self._supervised_weights is None:
            return self.weights
        self._supervised_weights = _computed(self._supervised_weights)
        return self._supervised_weights


def _computed(value: Lazy) -> Tensor:
    return value if isinstance(value, Tensor) else value()


@dataclass(frozen=True, slots=True)
class ReinforceOptions:
    """Options of REINFORCE, by which the decoder trains an attention that samples.

    Attributes:
        samples: paths sampled for each image.
        discount: gamma; the return of a step is the log-likelihood of its token plus gamma,
            gamma^2, ... times those of the tokens after it.
        baseline_rate: weight of a new value in the moving average of each step's return.
        entropy: weight of the entropy of the coarse distributions, in nats, as a bonus.
        reward_scale: factor of the REINFORCE term relative to the log-likelihood.

    Raises:
        ValueError: if a value is out of range.
    """

    samples: int = 1
    discount: float = 0.5
    baseline_rate: float = 0.01
    entropy: float = 0.0
    reward_scale: float = 1.0

    def __post_init__(self) -> None:
        check_at_least(1, samples=self.samples)
        for name in ("discount", "baseline_rate"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")
        check_weights(entropy=self.entropy, reward_scale=self.reward_scale)


class Attention(nn.Module, ABC):
    """Attends to the cells of a grid.

    `prepare` is called once for each image; each step then scores K queries of an image (the
    hypotheses of a beam) against that memory, which is not repeated for them.

    Example:
        >>> attention = ATTENTIONS.build("standard", {}, query_width=512, width=256)
        >>> memory = attention.prepare(grid)
        >>> output = attention(torch.zeros(1, 1, 512), memory, None)
        >>> output.context.shape
        torch.Size([1, 1, 256])

    Attributes:
        needs_coarse: whether the encoder must compute a coarse grid.
        inactive_when: arguments that have no effect while another argument has a certain value,
            as `{argument: (other argument, value)}`.
        sampling: options of its training if it samples; None otherwise.
    """

    needs_coarse: ClassVar[bool] = False
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    sampling: ReinforceOptions | None = None

    @abstractmethod
    def prepare(self, grid: Grid) -> Any:
        """Computes everything about a grid that does not depend on the query."""

    @abstractmethod
    def select(self, memory: Any, images: Tensor) -> Any:
        """The memory of some of the images.

        Args:
            memory: as returned by `prepare`.
            images: (B',) indices.
        """

    @abstractmethod
    def forward(self, query: Tensor, memory: Any, state: Tensor | None) -> AttentionOutput:
        """One step.

        Args:
            query: (B, K, Q).
            memory: of the B images, as returned by `prepare`.
            state: `AttentionOutput.state` of the previous step; None at the first step.
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
    injected=("query_width", "width", "coarse_width"),
)
