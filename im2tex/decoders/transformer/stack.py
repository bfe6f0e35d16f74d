"""The layers of a transformer decoder, over whole formulas or a step at a time.

Both ways are the same function: what a step has of its past comes from caches in one and from the
tensors beside it in the other.
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
    """What K hypotheses an image carry from step to step.

    Attributes:
        tokens: keys and values of the tokens read.
        coverage: (L - 1, B, K, 2 H, N) attention summed over the steps, from the second layer up,
            the layer below first; None without coverage.
        length: steps so far.
    """

    tokens: KVCache
    coverage: Tensor | None
    length: int = 0

    def reorder(self, parents: Tensor) -> DecoderCache:
        """The past in which hypothesis k of image b continues `parents[b, k]`."""
        coverage = self.coverage
        if coverage is not None:
            rows = parents[None, :, :, None, None]
            rows = rows.expand(len(coverage), -1, -1, *coverage.shape[3:])
            coverage = coverage.gather(2, rows)
        return DecoderCache(self.tokens.reorder(parents), coverage, self.length)

    def select(self, images: Tensor) -> DecoderCache:
        """The past of some of the images; (B',) indices."""
        coverage = None if self.coverage is None else self.coverage[:, images]
        return DecoderCache(self.tokens.select(images), coverage, self.length)


class TransformerStack(nn.Module):
    """L layers, and the refinement they share.

    Args:
        width: D.
        layers: L.
        heads: H.
        dim_feedforward: width of the feed-forward nets.
        dropout: in training.
        refinement: takes what was looked at off the scores of the layers from the second up; None
            for plain attention.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        dim_feedforward: int,
        dropout: float,
        refinement: CoverageRefinement | None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, dim_feedforward, dropout) for _ in range(layers)
        )
        self.refinement = refinement

    @property
    def each(self) -> Sequence[TransformerLayer]:
        """The layers, by their type."""
        return cast("Sequence[TransformerLayer]", self.layers)

    def prepare(self, features: Tensor, mask: Tensor) -> GridMemory:
        """Lays a grid out for every layer.

        Args:
            features: (B, h, w, D).
            mask: (B, h, w) bool.
        """
        flat = features.flatten(1, 2)  # (B, h, w, D) -> (B, h w, D)
        parts = [layer.cross_attention.project_memory(flat) for layer in self.each]
        keys, values = zip(*parts, strict=True)
        _, height, width = mask.shape
        return GridMemory(keys, values, mask.flatten(1), (height, width))

    def forward(self, inputs: Tensor, memory: GridMemory, real: Tensor) -> tuple[Tensor, Tensor]:
        """All steps at once.

        Args:
            inputs: (B, K, T, D), K formulas an image.
            memory: of the B images.
            real: (B, K, T) bool, the steps that are no padding.

        Returns:
            Outputs (B, K, T, D); weights of the last layer's attention, the mean of its heads,
            (B, K, T, N).
        """
        b, k, t, d = inputs.shape
        keep = None
        if self.training:
            keep = real.flatten().unsqueeze(1) & memory.mask.repeat_interleave(
                k * t, 0
            )  # (B K T, N)
        below: Tensor | None = None
        states = inputs.reshape(b, k * t, d)  # (B, K, T, D) -> (B, K T, D)
        for layer, keys, values in zip(self.each, memory.keys, memory.values, strict=True):
            rows = states.view(b * k, t, d)  # (B, K T, D) -> (B K, T, D)
            rows = layer.add_self_attention(rows, layer.self_attention(rows))
            states = rows.view(b, k * t, d)  # (B K, T, D) -> (B, K T, D)
            scores = layer.cross_attention.scores(states, keys)  # (B, H, K T, N)
            if below is not None and self.refinement is not None:
                looked = torch.cat([below, masked_weights(scores, memory.mask)], 1)
                looked = looked.view(b, -1, k, t, looked.shape[3])  # (B, 2 H, K, T, N)
                coverage = (looked.cumsum(3) - looked).permute(0, 2, 3, 1, 4)
                scores = scores - self._refine(coverage.flatten(0, 2), b, memory, keep)
            below = masked_weights(scores, memory.mask)
            states = layer.add_cross_attention_and_ffn(
                states, layer.cross_attention.read(below, values)
            )
        assert below is not None
        return states.view(b, k, t, d), below.mean(1).view(b, k, t, -1)

    def start(self, memory: GridMemory) -> DecoderCache:
        """The past before the first step, one hypothesis an image."""
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
        self, inputs: Tensor, memory: GridMemory, past: DecoderCache
    ) -> tuple[Tensor, Tensor, Tensor, DecoderCache]:
        """One step of K hypotheses an image.

        Args:
            inputs: (B, K, D).
            memory: of the B images.
            past: what they carry.

        Returns:
            Outputs (B, K, D); what the last layer read of the grid (B, K, D), and where, the mean
            of its heads (B, K, N); the past of the next step.
        """
        tokens, looked = past.tokens.extended(), []
        visible = tokens.visible.unsqueeze(1)  # (B, 1, K, S)
        below: Tensor | None = None
        states = read = inputs
        for number, layer in enumerate(self.each):
            query, keys, values = layer.self_attention.parts(states)
            keys, values = tokens.put(number, keys, values)
            read = nn.functional.scaled_dot_product_attention(query, keys, values, visible)
            states = layer.add_self_attention(states, layer.self_attention.join(read))
            scores = layer.cross_attention.scores(states, memory.keys[number])  # (B, H, K, N)
            if below is not None and past.coverage is not None:
                own = masked_weights(scores, memory.mask)
                looked.append(torch.cat([below, own], 1).transpose(1, 2))  # (B, K, 2 H, N)
                coverage = past.coverage[number - 1].flatten(0, 1)  # (B K, 2 H, N)
                scores = scores - self._refine(coverage, len(inputs), memory, None)
            below = masked_weights(scores, memory.mask)
            read = layer.cross_attention.read(below, memory.values[number])
            states = layer.add_cross_attention_and_ffn(states, read)
        assert below is not None
        grown = None if past.coverage is None else past.coverage + torch.stack(looked)
        return states, read, below.mean(1), DecoderCache(tokens, grown, past.length + 1)

    def _refine(
        self, coverage: Tensor, images: int, memory: GridMemory, keep: Tensor | None
    ) -> Tensor:
        """The refinement as scores are laid out, (B Q, 2 H, N) -> (B, H, Q, N)."""
        assert self.refinement is not None
        found: Tensor = self.refinement(coverage, memory.size, keep)
        return found.view(images, -1, *found.shape[1:]).transpose(1, 2)
