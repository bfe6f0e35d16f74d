"""Layers of a transformer decoder (Vaswani et al. 2017), normalised after each part as in CoMER.

    Attention(Q, K, V) = softmax(Q K^T / sqrt(D / H)) V

for each of H heads. All hypotheses of an image attend to one memory of its grid: queries have the
shape (B, Q, D), and keys and values of the grid are computed once for each image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class GridMemory:
    """The keys and values of a grid for the cross-attention of each layer.

    Attributes:
        keys: L times (B, H, N, D / H).
        values: L times (B, H, N, D / H).
        mask: (B, N).
        size: h and w, with h w = N.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    mask: Tensor
    size: tuple[int, int]

    def select(self, images: Tensor) -> GridMemory:
        """The memory of some of the images; (B',) indices."""
        return GridMemory(
            tuple(part[images] for part in self.keys),
            tuple(part[images] for part in self.values),
            self.mask[images],
            self.size,
        )


class SelfAttention(nn.Module):
    """Attention to the previous tokens.

    Args:
        d_model: D.
        num_heads: H.
        dropout: of the weights, in training.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.project = nn.Linear(d_model, 3 * d_model)
        self.output = nn.Linear(d_model, d_model)
        _initialize(self.project, self.output)

    def forward(self, inputs: Tensor) -> Tensor:
        """All steps at once; each attends to itself and those before it; (R, T, D) -> same."""
        query, keys, values = self.project_inputs(inputs)
        heads = nn.functional.scaled_dot_product_attention(
            query, keys, values, is_causal=True, dropout_p=self.dropout if self.training else 0.0
        )
        return self.combine_heads(heads)

    def project_inputs(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, keys and values, (R, T, D) -> 3 x (R, H, T, D / H)."""
        parts = self.project(inputs).view(*inputs.shape[:2], 3, self.num_heads, -1)
        query, keys, values = parts.permute(2, 0, 3, 1, 4)  # (R, T, 3, H, D / H), the 3 first
        return query, keys, values

    def combine_heads(self, heads: Tensor) -> Tensor:
        """Results of the heads, (R, H, T, D / H) -> (R, T, D)."""
        combined: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return combined


class CrossAttention(nn.Module):
    """Attention to the grid, in two parts, so that the scores can be refined in between.

    Args:
        d_model: D.
        num_heads: H.
        dropout: of the weights, in training.
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(d_model, d_model)
        self.memory = nn.Linear(d_model, 2 * d_model)
        self.output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        _initialize(self.query, self.memory, self.output)

    def project_memory(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a grid, (B, N, D) -> 2 x (B, H, N, D / H)."""
        parts = self.memory(features).view(*features.shape[:2], 2, self.num_heads, -1)
        # (B, N, 2, H, D / H), the 2 first; copied, since every step reads it.
        keys, values = parts.permute(2, 0, 3, 1, 4).contiguous()
        return keys, values

    def scores(self, inputs: Tensor, keys: Tensor) -> Tensor:
        """The score of each cell, (B, Q, D) -> (B, H, Q, N), in at least float32."""
        query: Tensor = self.query(inputs)
        query = query.view(*inputs.shape[:2], self.num_heads, -1).transpose(1, 2)
        scores = (query / math.sqrt(query.shape[3])) @ keys.transpose(2, 3)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def weighted_sum(self, weights: Tensor, values: Tensor) -> Tensor:
        """The context of weights (B, H, Q, N): (B, Q, D)."""
        heads = self.dropout(weights).to(values.dtype) @ values  # (B, H, Q, D / H)
        combined: Tensor = self.output(heads.transpose(1, 2).flatten(2))
        return combined


class TransformerLayer(nn.Module):
    """Self-attention, cross-attention and a feed-forward net.

    Args:
        d_model: D.
        num_heads: H.
        dim_feedforward: width of the feed-forward net.
        dropout: after each part and within it, in training.
    """

    def __init__(self, d_model: int, num_heads: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = SelfAttention(d_model, num_heads, dropout)
        self.cross_attention = CrossAttention(d_model, num_heads, dropout)
        self.linear1 = nn.Linear(d_model, dim_feedforward)
        self.linear2 = nn.Linear(dim_feedforward, d_model)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def add_self_attention(self, inputs: Tensor, attended: Tensor) -> Tensor:
        """Adds the result of self-attention and normalises."""
        outputs: Tensor = self.norms[0](inputs + self.dropout(attended))
        return outputs

    def add_cross_attention_and_ffn(self, inputs: Tensor, attended: Tensor) -> Tensor:
        """Adds the result of cross-attention, then that of the feed-forward net; normalises."""
        inputs = self.norms[1](inputs + self.dropout(attended))
        hidden = self.dropout(self.linear1(inputs).relu())
        outputs: Tensor = self.norms[2](inputs + self.dropout(self.linear2(hidden)))
        return outputs


def masked_weights(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the cells inside the image.

    Args:
        scores: (B, H, Q, N).
        mask: (B, N) bool; each image has a cell inside.

    Returns:
        (B, H, Q, N), zero outside the mask.
    """
    return scores.masked_fill(~mask[:, None, None], float("-inf")).softmax(3)


def positions(start: int, count: int, width: int, like: Tensor) -> Tensor:
    """Sinusoidal positions (section 3.5 of Vaswani et al. 2017).

    Args:
        start: the first position.
        count: T.
        width: D, even.
        like: gives type and device.

    Returns:
        (T, D): sines at even indices, cosines at odd ones.
    """
    exact = torch.promote_types(like.dtype, torch.float32)
    index = torch.arange(start, start + count, dtype=exact, device=like.device)
    steps = torch.arange(0, width, 2, dtype=exact, device=like.device)
    angles = index.unsqueeze(1) * (steps * (-math.log(10000.0) / width)).exp()  # (T, D / 2)
    waves = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)  # (T, D / 2, 2) -> (T, D)
    return waves.to(like.dtype)


def _initialize(*layers: nn.Linear) -> None:
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
