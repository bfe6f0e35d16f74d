"""Losses that need the alignment of strokes and tokens: guided attention and symbol loss.

CROHME's training files assign strokes to symbols, as do the synthetic sources. A recurrent decoder
without this supervision memorises the few training labels long before it uses the image. Two
additional losses, in training only:

- *guided attention*: -log of the attention weight on the cells S_t of the token's symbol,
  -log sum over z in S_t of alpha_t(z) (supervised attention: Liu et al. 2016, Mi et al. 2016; for
  handwriting Zhang et al. 2018);
- *symbol loss*: the mean feature of those cells is classified as the token by a linear layer that
  has no other use. It trains the encoder directly, as isolated symbols would.

The paper has neither; both are off at weight 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from im2tex.decoders.base import Targets
from im2tex.grid import Grid


def guided_attention_loss(weights: Tensor, cells: Tensor) -> Tensor:
    """Mean over the annotated tokens of -log (attention weight on the cells of their symbol).

    Args:
        weights: (B, T, h w), each row sums to 1.
        cells: (B, T, h w) bool, the cells of each token's symbol; none if it is not annotated.

    Returns:
        A scalar in nats, 0 if no symbol is annotated.
    """
    known = cells.any(2)  # (B, T)
    # A floor that a softmax reaches by underflow alone: a larger one would stop the gradient of
    # attention that is certain and wrong.
    inside = (weights * cells).sum(2).clamp_min(torch.finfo(weights.dtype).tiny)
    return -(inside.log() * known).sum() / known.sum().clamp_min(1)


class SymbolLoss(nn.Module):
    """Classifies each symbol by the mean feature of its cells.

    Args:
        width: D of the grid.
        vocabulary_size: V.
    """

    def __init__(self, width: int, vocabulary_size: int) -> None:
        super().__init__()
        self.classify = nn.Linear(width, vocabulary_size)

    def forward(self, grid: Grid, tokens: Tensor, cells: Tensor) -> Tensor:
        """Mean cross-entropy over the annotated tokens.

        Args:
            grid: features (B, h, w, D).
            tokens: (B, T).
            cells: (B, T, h w) bool.

        Returns:
            A scalar in nats, 0 if no symbol is annotated.
        """
        features = grid.features.flatten(1, 2)  # (B, h w, D)
        inside = cells.to(features.dtype)
        mean = (inside @ features) / cells.sum(2, keepdim=True).clamp_min(1)  # (B, T, D)
        known = cells.any(2)
        logits = self.classify(mean[known])  # (N, V)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = nn.functional.cross_entropy(logits, tokens[known], reduction="sum")
        return loss / known.sum().clamp_min(1)


def symbol_cells(grid: Grid, boxes: Tensor) -> Tensor:
    """The cells of each token's symbol, in row-major order; (B, T, h w) bool."""
    with torch.no_grad():
        return grid.cells_overlapping(boxes).flatten(2)


def alignment_loss(
    grid: Grid,
    targets: Targets,
    guided_weight: float,
    guided_loss: Callable[[Tensor], Tensor],
    symbol_weight: float,
    symbol_loss: SymbolLoss | None,
) -> tuple[Tensor | float, dict[str, Tensor]]:
    """The weighted sum of both losses.

    Args:
        grid: of B images.
        targets: of the batch.
        guided_weight: weight of the guided attention loss.
        guided_loss: computes that loss from the cells of each token's symbol, (B, T, h w).
        symbol_weight: weight of the symbol loss.
        symbol_loss: computes that loss; None for none.

    Returns:
        The sum and each loss, to log; 0 and none of them if no symbol is annotated.
    """
    loss: Tensor | float = 0.0
    logs: dict[str, Tensor] = {}
    if targets.boxes is None or not (guided_weight or symbol_loss is not None):
        return loss, logs
    cells = symbol_cells(grid, targets.boxes)
    if guided_weight:
        guided = guided_loss(cells)
        loss = loss + guided_weight * guided
        logs["guided_attention"] = guided.detach()
    if symbol_loss is not None:
        symbol = symbol_loss(grid, targets.tokens, cells)
        loss = loss + symbol_weight * symbol
        logs["symbol_loss"] = symbol.detach()
    return loss, logs
