"""The row encoder: one bidirectional LSTM over each row of a grid.

Section 3 of Deng et al. 2017. Row i of the features V is encoded from a trainable initial state
that depends on the row ("row embedding"),

    V~_i = RNN(V_i; h_0 = row_embedding_i),

by an LSTM in each direction, whose outputs are concatenated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowEncoder(nn.Module):
    """One bidirectional LSTM shared by all rows.

    Each direction is a unidirectional LSTM over dense tensors; the backward one starts each row at
    its last column inside the image, so that neither direction reads padding.

    Args:
        inputs: C, features of a cell.
        width: D, both directions together.
        num_row_embeddings: number of trainable initial states, 0 for none; rows below them take
            the last one.
        residual: add the inputs to the outputs.

    Raises:
        ValueError: if `width` is odd or less than 2, or differs from `inputs` with `residual` on.
    """

    def __init__(
        self, inputs: int, width: int, num_row_embeddings: int, residual: bool = False
    ) -> None:
        super().__init__()
        if width < 2 or width % 2:
            raise ValueError(f"row_hidden_size must be even (two directions) and >= 2, got {width}")
        if residual and inputs != width:
            raise ValueError(
                f"residual adds {inputs} channels to a row_hidden_size of {width}: make them equal"
            )
        self.residual = residual
        self.forward_lstm = nn.LSTM(inputs, width // 2, batch_first=True)
        self.backward_lstm = nn.LSTM(inputs, width // 2, batch_first=True)
        self.row_embedding: nn.Parameter | None = None
        if num_row_embeddings:  # (direction, h or c, row, D / 2)
            self.row_embedding = nn.Parameter(torch.zeros(2, 2, num_row_embeddings, width // 2))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Encodes each row of each image.

        Args:
            features: (B, h, w, C), zero outside the mask.
            mask: (B, h, w) bool, a rectangle from the top left corner.

        Returns:
            (B, h, w, D), zero outside the mask.
        """
        b, h, w, c = features.shape
        rows = features.reshape(b * h, w, c)  # (B, h, w, C) -> (B h, w, C)
        lengths = mask.sum(2).reshape(b * h, 1)  # (B h, 1)
        columns = torch.arange(w, device=mask.device).expand(b * h, w)
        mirrored = torch.where(columns < lengths, lengths - 1 - columns, columns)
        start, reverse_start = self._initial_states(b, h)
        outputs, _ = self.forward_lstm(rows, start)
        reverse_outputs, _ = self.backward_lstm(_reorder(rows, mirrored), reverse_start)
        both = torch.cat([outputs, _reorder(reverse_outputs, mirrored)], dim=2)  # (B h, w, D)
        both = both.reshape(b, h, w, -1) * mask.unsqueeze(3)
        return features + both if self.residual else both

    def _initial_states(self, b: int, h: int) -> list[tuple[Tensor, Tensor] | None]:
        """h_0 and c_0 of both directions, (1, B h, D / 2) each; None for zeros."""
        if self.row_embedding is None:
            return [None, None]
        row = torch.arange(h, device=self.row_embedding.device)
        row = row.clamp(max=self.row_embedding.shape[2] - 1)
        states = self.row_embedding[:, :, row].repeat(1, 1, b, 1)  # (2, 2, B h, D / 2)
        return [(hidden.unsqueeze(0), cell.unsqueeze(0)) for hidden, cell in states]


def _reorder(rows: Tensor, columns: Tensor) -> Tensor:
    """Reorders the cells of each row: (N, w, C) by indices (N, w) -> (N, w, C)."""
    return rows.gather(1, columns.unsqueeze(2).expand(-1, -1, rows.shape[2]))
