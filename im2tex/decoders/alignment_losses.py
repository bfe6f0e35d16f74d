"""Grounding: what handwriting data knows beyond the label, which strokes write which token.

CROHME's training files say which strokes make each symbol, and so do sources that write their own
formulas. A recurrent decoder left to find that out by itself recites the few training labels long
before it looks at the image. Two additional losses, used in training only:

- *guided attention*: -log of the attention weight that falls on the cells of the token's symbol
  (supervised attention: Liu et al. 2016, Mi et al. 2016; for handwriting Zhang et al. 2018);
- *symbol loss*: the mean feature of those cells is classified as the token, by a linear layer that
  is not used otherwise. It trains the encoder directly, as isolated symbols would.

The paper has neither; both are off at weight 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from im2tex.decoders.base import Targets
from im2tex.grid import Grid


def guided_attention_loss(weights: Tensor, cells: Tensor) -> Tensor:
    """Mean over the tokens whose symbol is known of -log (attention on its cells).

    Args:
        weights: (B, T, h w), each row summing to 1.
        cells: (B, T, h w) bool, the cells of each token's symbol; none where it is not known.

    Returns:
        A scalar in nats, 0 if no symbol is known.
    """
    known = cells.any(2)  # (B, T)
    # A floor that a softmax reaches by underflow alone: attention that is certain and wrong is
    # what has most to learn, and a floor stops its gradient.
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
        """Mean cross-entropy over the tokens whose symbol is known.

        Args:
            grid: features (B, h, w, D).
            tokens: (B, T).
            cells: (B, T, h w) bool.

        Returns:
            A scalar in nats, 0 if no symbol is known.
        """
        features = grid.features.flatten(1, 2)  # (B, h w, D)
        inside = cells.to(features.dtype)
        mean = (inside @ features) / cells.sum(2, keepdim=True).clamp_min(1)  # (B, T, D)
        known = cells.any(2)
        logits = self.classify(mean[known])  # (N, V)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = nn.functional.cross_entropy(logits, tokens[known], reduction="sum")
        return loss / known.sum().clamp_min(1)


def cells_of(grid: Grid, boxes: Tensor) -> Tensor:
    """The cells of each token's symbol, in row-major order; (B, T, h w) bool."""
    with torch.no_grad():
        return grid.cells_overlapping(boxes).flatten(2)


def alignment_loss(
    grid: Grid,
    targets: Targets,
    guided: float,
    guided_loss: Callable[[Tensor], Tensor],
    symbol: float,
    symbols: SymbolLoss | None,
) -> tuple[Tensor | float, dict[str, Tensor]]:
    """Both losses of a batch together.

    Args:
        grid: of B images.
        targets: of the batch.
        guided: weight of the guided attention loss.
        guided_loss: gives that loss, of the cells of each token's symbol, (B, T, h w).
        symbol: weight of the symbol loss.
        symbols: gives that one; None for none.

    Returns:
        Their weighed sum, and each by itself, to log; 0 and nothing where no symbols are known.
    """
    loss: Tensor | float = 0.0
    logs: dict[str, Tensor] = {}
    if targets.boxes is None or not (guided or symbols is not None):
        return loss, logs
    cells = cells_of(grid, targets.boxes)
    if guided:
        found = guided_loss(cells)
        loss = loss + guided * found
        logs["guided_attention"] = found.detach()
    if symbols is not None:
        found = symbols(grid, targets.tokens, cells)
        loss = loss + symbol * found
        logs["symbol_loss"] = found.detach()
    return loss, logs
