"""`AttentionRecord`: an image, its prediction and the attention maps of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

END = "<end>"
"""Stands for the end of a reading, which is a step like any other."""


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """A picture, its reading of T tokens, and the attention of each step.

    Attributes:
        name: what to call the picture.
        image: (H, W) uint8 as the model sees it, ink 255 on 0.
        tokens: T of them, the last one `END` if the reading ended by itself.
        log_probability: (T,) of each token after those before it, nats.
        top_k: of each step the most likely tokens with their probability, the likeliest first.
        fine: (T, h, w) weights of the fine cells.
        stride: pixels that a fine cell covers, (vertical, horizontal).
        lookups: (T, 2) cells scored at each step, coarse and fine ones.
        coarse: (T, h', w') probabilities of the coarse cells; None without a coarse grid.
        coarse_stride: pixels that a coarse cell covers; None without a coarse grid.
        gold: the label's tokens; None where it is not known.
        rendered: PNG of the typeset prediction, black on white; empty if it cannot be rendered,
            None if it was not rendered.

    Raises:
        ValueError: if the parts do not belong together.
    """

    name: str
    image: NDArray[np.uint8]
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

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(
                f"expected an image of uint8 (H, W), got {self.image.dtype} {self.image.shape}."
            )
        parts = [self.log_probability, self.top_k, self.fine, self.lookups]
        if self.coarse is not None:
            parts.append(self.coarse)
        lengths = [len(self.tokens), *map(len, parts)]
        if not self.tokens or len(set(lengths)) > 1:
            raise ValueError(f"expected a map for each of at least one token, got {lengths}.")
        if (self.coarse is None) != (self.coarse_stride is None):
            raise ValueError("coarse and coarse_stride come together.")

    @property
    def prediction(self) -> list[str]:
        """The tokens without the end."""
        return list(self.tokens[:-1] if self.finished else self.tokens)

    @property
    def finished(self) -> bool:
        """Whether the reading ended by itself, within the length limit."""
        return self.tokens[-1] == END

    @property
    def chosen_coarse(self) -> list[int] | None:
        """The coarse cell, in row-major order, that each step looked into most; or None."""
        if self.coarse is None:
            return None
        cells: list[int] = self.coarse.reshape(len(self.coarse), -1).argmax(1).tolist()
        return cells

    @property
    def heatmap(self) -> Maps:
        """(T, h, w) how much of each step's light falls on a fine cell: its weight.

        Where no fine cell was ever looked at, the probability of the coarse cell that it lies in.
        Its share of that would not do: a coarse cell cut off by the edge of the picture has few
        fine cells to share with, and would outshine a likelier one.
        """
        if self._seen is self.fine or self.coarse_stride is None:
            return self.fine
        sides = zip(self.coarse_stride, self.stride, strict=True)
        down, right = (coarse // fine for coarse, fine in sides)
        h, w = self.fine.shape[1:]
        return self._seen.repeat(down, 1).repeat(right, 2)[:, :h, :w]  # (T, h', w') -> (T, h, w)

    @property
    def _seen(self) -> Maps:
        """The weights of the cells that were scored: coarse ones, if they alone were."""
        return self.fine if self.coarse is None or self.lookups[:, 1].any() else self.coarse

    @property
    def effective_cells(self) -> Maps:
        """(T,) how many cells each step looked at in effect: e to the entropy of its weights.

        1 for a step that looked at one cell alone, h w for one that looked at all alike. Coarse
        cells are counted where no fine one was looked at.
        """
        flat = np.nan_to_num(self._seen).reshape(len(self.fine), -1).astype(np.float64)
        p = flat / np.maximum(flat.sum(1, keepdims=True), 1e-12)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1)
        spread: Maps = np.exp(entropy).astype(np.float32)
        return spread
