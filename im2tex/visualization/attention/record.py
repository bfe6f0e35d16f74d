"""`AttentionRecord`: an image, its prediction and the attention maps of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.render.rendering import GrayImage

Maps = NDArray[np.float32]

END = "<end>"
"""Token of the step at which a prediction ends."""


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """An image, its prediction of T tokens, and the attention of each step.

    Attributes:
        name: title of the image.
        image: (H, W) uint8, the preprocessed image, ink 255 on 0.
        tokens: T tokens; the last token is `END` unless the prediction exceeds the length limit.
        log_probability: (T,) of each token after those before it, nats.
        top_k: the most probable tokens of each step with their probabilities, in falling order.
        fine: (T, h, w) weights of the fine cells.
        stride: pixels that a fine cell covers, (vertical, horizontal).
        lookups: (T, 2) number of coarse and of fine cells scored at each step.
        coarse: (T, h', w') probabilities of the coarse cells; None without a coarse grid.
        coarse_stride: pixels that a coarse cell covers; None without a coarse grid.
        gold: the label's tokens; None if unknown.
        rendered: PNG of the typeset prediction, black on white; empty if it cannot be rendered,
            None if it was not rendered.
    """

    name: str
    image: GrayImage
    tokens: Sequence[str]
    log_probability: Maps
    top_k: Sequence[Sequence[tuple[str, float]]]
    fine: Maps
    stride: tuple[int, int]
    lookups: NDArray[np.int64]
    coarse: Maps | None = None
    coarse_stride: tuple[int, int] | None = None
    gold: Sequence[str] | None = None
    rendered: bytes | None = None

    @property
    def prediction(self) -> list[str]:
        """The tokens without the end."""
        return list(self.tokens[:-1] if self.finished else self.tokens)

    @property
    def finished(self) -> bool:
        """Whether the prediction ended within the length limit."""
        return self.tokens[-1] == END

    @property
    def chosen_coarse(self) -> list[int] | None:
        """Index, in row-major order, of each step's most probable coarse cell; None without any."""
        if self.coarse is None:
            return None
        cells: list[int] = self.coarse.reshape(len(self.coarse), -1).argmax(1).tolist()
        return cells

    @property
    def heatmap(self) -> Maps:
        """(T, h, w) the value that views show at each fine cell: its weight.

        If no fine cell was scored, the value is the probability of the surrounding coarse cell. It
        is not divided among the fine cells: a coarse cell at the edge of the image has fewer of
        them, which would then look likelier than they are.
        """
        scored = self._scored_weights
        if scored is self.fine or self.coarse_stride is None:
            return self.fine
        down, right = (c // f for c, f in zip(self.coarse_stride, self.stride, strict=True))
        h, w = self.fine.shape[1:]
        return scored.repeat(down, 1).repeat(right, 2)[:, :h, :w]  # (T, h', w') -> (T, h, w)

    @property
    def effective_cells(self) -> Maps:
        """(T,) perplexity of each step's attention, the effective number of cells: exp(H(p)).

        1 for a step that attends to one cell alone, h w for uniform attention. Counts coarse cells
        if no fine cell was scored.
        """
        flat = np.nan_to_num(self._scored_weights).reshape(len(self.fine), -1).astype(np.float64)
        p = flat / np.maximum(flat.sum(1, keepdims=True), 1e-12)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1)
        perplexity: Maps = np.exp(entropy).astype(np.float32)
        return perplexity

    @property
    def _scored_weights(self) -> Maps:
        """The weights of the scored cells: of coarse cells if no fine cell was scored."""
        return self.fine if self.coarse is None or self.lookups[:, 1].any() else self.coarse
