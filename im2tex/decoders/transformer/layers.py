"""Layers of a transformer decoder (Vaswani et al. 2017), with what is kept between steps.

Normalised after each part, as in CoMER. Hypotheses of an image read one memory of it: queries come
as (B, Q, D), keys and values of the grid are laid out once an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class GridMemory:
    """A grid as the cross-attention of each layer reads it.

    Attributes:
        keys: L times (B, H, N, D / H).
        values: likewise.
        mask: (B, N).
        size: h and w, h w = N.
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
    """Attention to the tokens so far.

    Args:
        width: D.
        heads: H.
        dropout: of the weights, in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        for layer in (self.project, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Every step at once, each seeing those before it and itself; (R, T, D) -> (R, T, D)."""
        query, keys, values = self.parts(inputs)
        dropout = self.dropout if self.training else 0.0
        read = nn.functional.scaled_dot_product_attention(
            query, keys, values, is_causal=True, dropout_p=dropout
        )
        return self.join(read)

    def parts(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, keys and values, (R, T, D) -> 3 x (R, H, T, D / H)."""
        split = self.project(inputs).view(*inputs.shape[:2], 3, self.heads, -1)
        query, keys, values = split.permute(2, 0, 3, 1, 4)  # (R, T, 3, H, D / H), the 3 first
        return query, keys, values

    def join(self, read: Tensor) -> Tensor:
        """What the heads read, (R, H, T, D / H) -> (R, T, D)."""
        joined: Tensor = self.output(read.transpose(1, 2).flatten(2))
        return joined


class CrossAttention(nn.Module):
    """Attention to the grid, its scores open to refinement.

    Args:
        width: D.
        heads: H.
        dropout: of the weights, in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.memory = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.query, self.memory, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def project_memory(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a grid, (B, N, D) -> 2 x (B, H, N, D / H)."""
        split = self.memory(features).view(*features.shape[:2], 2, self.heads, -1)
        # (B, N, 2, H, D / H), the 2 first; every step reads it, so it is worth a copy.
        keys, values = split.permute(2, 0, 3, 1, 4).contiguous()
        return keys, values

    def scores(self, inputs: Tensor, keys: Tensor) -> Tensor:
        """How well each cell fits, (B, Q, D) -> (B, H, Q, N), in at least float32."""
        query: Tensor = self.query(inputs)
        query = query.view(*inputs.shape[:2], self.heads, -1).transpose(1, 2)  # (B, H, Q, D / H)
        fit = (query / math.sqrt(query.shape[3])) @ keys.transpose(2, 3)
        return fit.to(torch.promote_types(fit.dtype, torch.float32))

    def read(self, weights: Tensor, values: Tensor) -> Tensor:
        """The values where it looks, (B, H, Q, N) -> (B, Q, D)."""
        read = self.dropout(weights).to(values.dtype) @ values  # (B, H, Q, D / H)
        joined: Tensor = self.output(read.transpose(1, 2).flatten(2))
        return joined


class TransformerLayer(nn.Module):
    """Self-attention, cross-attention and a feed-forward net.

    Args:
        width: D.
        heads: H.
        dim_feedforward: width of the feed-forward net between its two matrices.
        dropout: after each part and within, in training.
    """

    def __init__(self, width: int, heads: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = SelfAttention(width, heads, dropout)
        self.cross_attention = CrossAttention(width, heads, dropout)
        self.linear1 = nn.Linear(width, dim_feedforward)
        self.linear2 = nn.Linear(dim_feedforward, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def add_self_attention(self, inputs: Tensor, read: Tensor) -> Tensor:
        """Adds what self-attention read."""
        found: Tensor = self.norms[0](inputs + self.dropout(read))
        return found

    def add_cross_attention_and_ffn(self, inputs: Tensor, read: Tensor) -> Tensor:
        """Adds what cross-attention read, then the feed-forward net's own."""
        inputs = self.norms[1](inputs + self.dropout(read))
        wide = self.dropout(self.linear1(inputs).relu())
        found: Tensor = self.norms[2](inputs + self.dropout(self.linear2(wide)))
        return found


def masked_weights(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the true cells.

    Args:
        scores: (B, H, Q, N).
        mask: (B, N) bool; every image has a true cell.

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
        (T, D): sines at even places, cosines at odd ones.
    """
    exact = torch.promote_types(like.dtype, torch.float32)
    places = torch.arange(start, start + count, dtype=exact, device=like.device)
    steps = torch.arange(0, width, 2, dtype=exact, device=like.device)
    angles = places.unsqueeze(1) * (steps * (-math.log(10000.0) / width)).exp()  # (T, D / 2)
    found = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)  # (T, D / 2, 2) -> (T, D)
    return found.to(like.dtype)
