"""Buckets: a few sizes that images are padded to, so that a batch has images of one size.

Section 3 of Deng et al. 2017 and the released preprocessing: an image is padded to the first bucket
of the list that it fits into, or keeps its size if it fits into none. There the model sees the
padding as background; here it is masked, so that buckets change the batches but not the output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.data.bucketing import Sizes
from im2tex.errors import Im2TexError

PAPER_SIZES = (
    "128x32 128x64 160x32 160x64 192x32 192x64 224x32 224x64 256x32 256x64 320x32 320x64 384x32 "
    "384x64 384x96 480x32 480x64 480x128 480x160"
)
"""The paper's buckets, width by height in pixels of the downsampled image."""


class Buckets:
    """Sizes to pad images to.

    Example:
        >>> Buckets(["128x32", "256x64"]).fit(height=30, width=140)
        (64, 256)

    Args:
        sizes: `paper`, or sizes as `WIDTHxHEIGHT`, in the order in which they are tried.
        stride: (vertical, horizontal); sizes are rounded up to its multiples.

    Raises:
        Im2TexError: if a size has another form.
    """

    def __init__(self, sizes: Sequence[str] | str, stride: tuple[int, int] = (1, 1)) -> None:
        if sizes == "paper":
            sizes = PAPER_SIZES.split()
        elif isinstance(sizes, str):
            sizes = [sizes]
        self.sizes = []
        for text in sizes:
            match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
            if match is None:
                raise Im2TexError(
                    "data.buckets must be `paper`, or sizes as WIDTHxHEIGHT in pixels such as "
                    f"128x32, got {text!r}."
                )
            shape = zip((int(match[2]), int(match[1])), stride, strict=True)
            height, width = (-(-pixels // step) * step for pixels, step in shape)
            self.sizes.append((height, width))

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that an image of this size is padded to."""
        for bucket in self.sizes:
            if height <= bucket[0] and width <= bucket[1]:
                return bucket
        return height, width

    def fit_all(self, sizes: Sizes) -> Sizes:
        """Replaces the heights and widths in (n, 3) sizes by those of `fit`."""
        shapes = np.array(self.sizes, dtype=np.int64)  # (buckets, 2)
        fits: NDArray[np.bool_] = np.all(sizes[:, None, :2] <= shapes, axis=2)  # (n, buckets)
        fits_any = np.any(fits, axis=1, keepdims=True)
        fitted = np.where(fits_any, shapes[fits.argmax(axis=1)], sizes[:, :2])
        return np.concatenate([fitted, sizes[:, 2:]], axis=1)
