"""The layers of a transformer decoder, over whole formulas or one step at a time.

Both compute the same function: the past of a step comes from caches in a search, and from the other
steps of the same tensor in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from im2tex.decoders.transformer.coverage import CoverageRefinement
from im2tex.decoders.transformer.kv_cache import KVCache
from im2tex.decoders.transformer.layers import GridMemory, TransformerLayer, masked_weights


@dataclass(frozen=True, slots=True)
class DecoderCache:
    """The past of K hypotheses of each image.

    Attributes:
        tokens: keys and values of the previous tokens.
        coverage: (L - 1, B, K, 2 H, N) attention summed over the steps, for the layers from the
            second up, that of the layer below first; None without coverage.
        length: number of steps so far.
    """

    tokens: KVCache
    coverage: Tensor | None
    length: int = 0

    def reorder(self, parents: Tensor) -> DecoderCache:
        """The cache in which hypothesis k of image b continues `parents[b, k]`."""
        coverage = self.coverage
        if coverage is not None:
            rows = parents[None, :, :, None, None]
            rows = rows.expand(len(coverage), -1, -1, *coverage.shape[3:])
            coverage = coverage.gather(2, rows)
        return DecoderCache(self.tokens.reorder(parents), coverage, self.length)

    def select(self, images: Tensor) -> DecoderCache:
        """The cache of some of the images; (B',) indices."""
        coverage = None if self.coverage is None else self.coverage[:, images]
        return DecoderCache(self.tokens.select(images), coverage, self.length)


class TransformerStack(nn.Module):
    """L layers and the coverage refinement that they share.

    Args:
        d_model: D.
        num_layers: L.
        num_heads: H.
        dim_feedforward: width of the feed-forward nets.
        dropout: in training.
        refinement: of the scores of the layers from the second up; None for plain attention.
    """

    def __init__(
        self,
        d_model: int,
        num_layers: int,
        num_heads: int,
        dim_feedforward: int,
        dropout: float,
        refinement: CoverageRefinement | None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(d_model, num_heads, dim_feedforward, dropout)
            for _ in range(num_layers)
        )
        self.refinement = refinement

    @property
    def typed_layers(self) -> Sequence[TransformerLayer]:
        """The layers with their type."""
        return cast("Sequence[TransformerLayer]", self.layers)

    def prepare(self, features: Tensor, mask: Tensor) -> GridMemory:
        """Computes the keys and values of a grid for every layer.

        Args:
            features: (B, h, w, D).
            mask: (B, h, w) bool.
        """
        flat = features.flatten(1, 2)  # (B, h, w, D) -> (B, h w, D)
        parts = [layer.cross_attention.project_memory(flat) for layer in self.typed_layers]
        keys, values = zip(*parts, strict=True)
        _, height, width = mask.shape
        return GridMemory(keys, values, mask.flatten(1), (height, width))

    def forward(self, inputs: Tensor, memory: GridMemory, mask: Tensor) -> tuple[Tensor, Tensor]:
        """All steps at once.

        Args:
            inputs: (B, K, T, D), K formulas of each image.
            memory: of the B images.
            mask: (B, K, T) bool, true where a step is not padding.

        Returns:
            Outputs (B, K, T, D), and the attention weights of the last layer, the mean of its
            heads, (B, K, T, N).
        """
        b, k, t, d = inputs.shape
        counted = None  # the cells that count in the statistics of the refinement, (B K T, N)
        if self.training:
            counted = mask.flatten().unsqueeze(1) & memory.mask.repeat_interleave(k * t, 0)
        below: Tensor | None = None
        states = inputs.reshape(b, k * t, d)  # (B, K, T, D) -> (B, K T, D)
        for layer, keys, values in zip(self.typed_layers, memory.keys, memory.values, strict=True):
            rows = states.view(b * k, t, d)  # (B, K T, D) -> (B K, T, D)
            rows = layer.add_self_attention(rows, layer.self_attention(rows))
            states = rows.view(b, k * t, d)  # (B K, T, D) -> (B, K T, D)
            scores = layer.cross_attention.scores(states, keys)  # (B, H, K T, N)
            if below is not None and self.refinement is not None:
                weights = torch.cat([below, masked_weights(scores, memory.mask)], 1)
                weights = weights.view(b, -1, k, t, weights.shape[3])  # (B, 2 H, K, T, N)
                coverage = (weights.cumsum(3) - weights).permute(0, 2, 3, 1, 4)
                scores = scores - self._refine(coverage.flatten(0, 2), b, memory, counted)
            below = masked_weights(scores, memory.mask)
            attended = layer.cross_attention.weighted_sum(below, values)
            states = layer.add_cross_attention_and_ffn(states, attended)
        assert below is not None
        return states.view(b, k, t, d), below.mean(1).view(b, k, t, -1)

    def start(self, memory: GridMemory) -> DecoderCache:
        """The cache before the first step, one hypothesis for each image."""
        like = memory.keys[0]
        coverage = None
        if self.refinement is not None:
            images, heads, cells, _ = like.shape
            exact = torch.promote_types(like.dtype, torch.float32)
            coverage = like.new_zeros(
                len(self.layers) - 1, images, 1, 2 * heads, cells, dtype=exact
            )
        return DecoderCache(KVCache.empty(len(self.layers), like), coverage)

    def step(
        self, inputs: Tensor, memory: GridMemory, cache: DecoderCache
    ) -> tuple[Tensor, Tensor, Tensor, DecoderCache]:
        """One step of K hypotheses of each image.

        Args:
            inputs: (B, K, D).
            memory: of the B images.
            cache: of the previous steps.

        Returns:
            Outputs (B, K, D); the context of the last layer (B, K, D) and its attention weights,
            the mean of its heads (B, K, N); the cache of the next step.
        """
        tokens, step_weights = cache.tokens.grow(), []
        visible = tokens.visible.unsqueeze(1)  # (B, 1, K, S)
        below: Tensor | None = None
        states = context = inputs
        for index, layer in enumerate(self.typed_layers):
            query, keys, values = layer.self_attention.project_inputs(states)
            keys, values = tokens.append(index, keys, values)
            heads = nn.functional.scaled_dot_product_attention(query, keys, values, visible)
            states = layer.add_self_attention(states, layer.self_attention.combine_heads(heads))
            scores = layer.cross_attention.scores(states, memory.keys[index])  # (B, H, K, N)
            if below is not None and cache.coverage is not None:
                own = masked_weights(scores, memory.mask)
                step_weights.append(torch.cat([below, own], 1).transpose(1, 2))  # (B, K, 2 H, N)
                coverage = cache.coverage[index - 1].flatten(0, 1)  # (B K, 2 H, N)
                scores = scores - self._refine(coverage, len(inputs), memory, None)
            below = masked_weights(scores, memory.mask)
            context = layer.cross_attention.weighted_sum(below, memory.values[index])
            states = layer.add_cross_attention_and_ffn(states, context)
        assert below is not None
        total = None if cache.coverage is None else cache.coverage + torch.stack(step_weights)
        return states, context, below.mean(1), DecoderCache(tokens, total, cache.length + 1)

    def _refine(
        self, coverage: Tensor, images: int, memory: GridMemory, mask: Tensor | None
    ) -> Tensor:
        """The refinement in the shape of the scores, (B Q, 2 H, N) -> (B, H, Q, N)."""
        assert self.refinement is not None
        refined: Tensor = self.refinement(coverage, memory.size, mask)
        return refined.view(images, -1, *refined.shape[1:]).transpose(1, 2)
