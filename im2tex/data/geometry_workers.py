"""Measures the geometry of a split in several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from im2tex.data.geometry import Geometry
from im2tex.data.sample import Sample
from im2tex.utils.processes import lazy_map
from im2tex.utils.progress import progress_bar

_CHUNK = 512  # samples

Open = Callable[[Path], Sequence[Sample]]


def measure_split(open_split: Open, path: Path, processes: int | None = None) -> Geometry:
    """Measures all samples.

    Args:
        open_split: opens the split, once in each process.
        path: of the split.
        processes: number of processes; that of the processors if not given.

    Raises:
        Im2TexError: if a process ends without a result.
    """
    count = len(open_split(path))
    firsts = range(0, count, _CHUNK)
    processes = min(processes or os.cpu_count() or 1, len(firsts))
    parts = [Geometry.of(())]
    with progress_bar("measuring samples", count) as bar:
        measure = partial(_measure, open_split, path)
        for part in lazy_map(measure, firsts, processes if processes > 1 else 0):
            parts.append(part)
            bar.advance(len(part))
    _opened.cache_clear()
    return Geometry.concatenate(parts)


def _measure(open_split: Open, path: Path, first: int) -> Geometry:
    return Geometry.of(_opened(open_split, path)[first : first + _CHUNK], first)


@lru_cache(maxsize=1)
def _opened(open_split: Open, path: Path) -> Sequence[Sample]:
    return open_split(path)
