"""Cached keys and values of tokens, which are written once and not moved when a beam is sorted.

Sorting a beam by copying its caches costs more than the attention that reads them: every step
copies what all steps before it wrote. Here the entries of all hypotheses that an image ever had lie
side by side, and each current hypothesis has a mask of the entries that are its own past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(slots=True)
class _Entries:
    """Keys and values (L, 2, B, H, capacity, D / H), of which the first `filled` are written."""

    data: Tensor
    filled: int


@dataclass(frozen=True, slots=True)
class KVCache:
    """The keys and values of the tokens of K hypotheses of each image.

    A cache is a value: appending to one copy does not change another.

    Attributes:
        entries: shared by all caches that grew from one.
        visible: (B, K, S) bool, the entries that belong to each hypothesis.
    """

    entries: _Entries
    visible: Tensor

    @classmethod
    def empty(cls, layers: int, like: Tensor) -> KVCache:
        """A cache without entries, one hypothesis for each image.

        Args:
            layers: L.
            like: (B, H, any, D / H), gives sizes, type and device.
        """
        images, heads, _, width = like.shape
        data = like.new_empty(layers, 2, images, heads, 0, width)
        visible = torch.zeros(images, 1, 0, dtype=torch.bool, device=like.device)
        return cls(_Entries(data, 0), visible)

    def grow(self) -> KVCache:
        """The cache with space for one more step of each hypothesis, for `append` to fill."""
        images, beam, used = self.visible.shape
        entries, capacity = self.entries, self.entries.data.shape[4]
        # Another step written from the same cache is not overwritten.
        if entries.filled != used or capacity < used + beam:
            shape = list(entries.data.shape)
            shape[4] = max(used + beam, 2 * used, 8 * beam)
            data = entries.data.new_empty(shape)
            data[:, :, :, :, :used] = entries.data[:, :, :, :, :used]
            entries = _Entries(data, used)
        entries.filled = used + beam
        own = torch.eye(beam, dtype=torch.bool, device=self.visible.device)
        visible = torch.cat([self.visible, own.expand(images, -1, -1)], 2)  # (B, K, S + K)
        return KVCache(entries, visible)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Writes the newest step of a layer, 2 x (B, H, K, D / H).

        Returns:
            Keys and values of all steps, 2 x (B, H, S, D / H).
        """
        used = self.visible.shape[2]
        data = self.entries.data[layer, :, :, :, :used]  # (2, B, H, S, D / H)
        data[0, :, :, -keys.shape[2] :] = keys
        data[1, :, :, -keys.shape[2] :] = values
        return data[0], data[1]

    def reorder(self, parents: Tensor) -> KVCache:
        """The cache in which hypothesis k of image b continues `parents[b, k]`."""
        rows = parents.unsqueeze(2).expand(-1, -1, self.visible.shape[2])
        return replace(self, visible=self.visible.gather(1, rows))

    def select(self, images: Tensor) -> KVCache:
        """The cache of some of the images; (B',) indices."""
        entries = _Entries(self.entries.data[:, :, images], self.visible.shape[2])
        return KVCache(entries, self.visible[images])
