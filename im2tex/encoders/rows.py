"""The row encoder: one bidirectional LSTM over every row of a grid.

Section 3 of Deng et al. 2017. The coarse branch has one of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowEncoder(nn.Module):
    """One bidirectional LSTM shared by all rows, started from a state that knows the row.

    Each direction is a unidirectional LSTM over dense tensors; the backward one reads every row
    from its own last true column, so that padding is never seen in either direction.

    Args:
        inputs: features of a cell.
        width: D, both directions together.
        rows: number of trainable initial states, 0 for none.

    Raises:
        ValueError: if `width` is odd or not positive.
    """

    def __init__(self, inputs: int, width: int, rows: int) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(
                f"row_width is at least 2, and shared by two directions, so it is even; got {width}"
            )
        self.forwards = nn.LSTM(inputs, width // 2, batch_first=True)
        self.backwards = nn.LSTM(inputs, width // 2, batch_first=True)
        # (direction, h or c, row, D / 2)
        self.start = nn.Parameter(torch.zeros(2, 2, rows, width // 2)) if rows else None

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Encodes every row of every image.

        Args:
            features: (B, h, w, C), zero outside the mask.
            mask: (B, h, w) bool, rectangular from the top left corner.

        Returns:
            (B, h, w, D), zero outside the mask.
        """
        b, h, w, c = features.shape
        rows = features.reshape(b * h, w, c)  # (B, h, w, C) -> (B h, w, C)
        lengths = mask.sum(2).reshape(b * h, 1)  # (B h, 1)
        columns = torch.arange(w, device=mask.device).expand(b * h, w)
        mirror = torch.where(columns < lengths, lengths - 1 - columns, columns)
        states = [None, None] if self.start is None else self._states(b, h)
        ahead, _ = self.forwards(rows, states[0])
        back, _ = self.backwards(_take(rows, mirror), states[1])
        both = torch.cat([ahead, _take(back, mirror)], dim=2)  # (B h, w, D)
        return both.reshape(b, h, w, -1) * mask.unsqueeze(3)

    def _states(self, b: int, h: int) -> list[tuple[Tensor, Tensor] | None]:
        assert self.start is not None
        index = torch.arange(h, device=self.start.device).clamp(max=self.start.shape[2] - 1)
        start = self.start[:, :, index]  # (2, 2, h, D / 2)
        start = start.unsqueeze(2).expand(-1, -1, b, -1, -1).flatten(2, 3)  # (2, 2, B h, D / 2)
        return [
            (one[0].unsqueeze(0).contiguous(), one[1].unsqueeze(0).contiguous()) for one in start
        ]


def _take(rows: Tensor, columns: Tensor) -> Tensor:
    """Row-wise reordering: (N, w, C) by (N, w) -> (N, w, C)."""
    return rows.gather(1, columns.unsqueeze(2).expand(-1, -1, rows.shape[2]))
