"""Buckets: a few sizes that pictures are padded to, so that a batch holds one size only.

Section 3 of Deng et al. 2017 and the released preprocessing: a picture goes into the first bucket
of the list that it fits into, and one that fits into none keeps its size. There the padding is
paper that the model sees; here it is masked, so that buckets change the batches and not the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from im2tex.data.bucketing import Sizes
from im2tex.errors import Im2TexError

PAPER = (
    "128x32 128x64 160x32 160x64 192x32 192x64 224x32 224x64 256x32 256x64 320x32 320x64 384x32 "
    "384x64 384x96 480x32 480x64 480x128 480x160"
)
"""The paper's, width by height in pixels, after halving."""


class Buckets:
    """Sizes to pad to.

    Args:
        sizes: `paper`, or a list of sizes as `WIDTHxHEIGHT`, in the order in which they are tried.
        stride: (vertical, horizontal) pixels that sizes are rounded up to multiples of.

    Raises:
        Im2TexError: if a size is not of that form.
    """

    def __init__(self, sizes: Sequence[str] | str, stride: tuple[int, int] = (1, 1)) -> None:
        if sizes == "paper":
            sizes = PAPER.split()
        elif isinstance(sizes, str):
            sizes = [sizes]
        self.sizes = []
        for text in sizes:
            match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
            if match is None:
                raise Im2TexError(
                    f"data.buckets: a bucket is WIDTHxHEIGHT in pixels, such as 128x32, or all of "
                    f"them `paper`; got {text!r}."
                )
            shape = zip((int(match[2]), int(match[1])), stride, strict=True)
            height, width = (-(-pixels // step) * step for pixels, step in shape)
            self.sizes.append((height, width))

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """The size that a picture of this one is padded to."""
        for bucket in self.sizes:
            if height <= bucket[0] and width <= bucket[1]:
                return bucket
        return height, width

    def fit_all(self, sizes: Sizes) -> Sizes:
        """The same for the first two columns of many, (n, 3)."""
        fitted = [(*self.fit(int(h), int(w)), n) for h, w, n in sizes]
        return np.array(fitted, dtype=np.int64).reshape(-1, 3)
