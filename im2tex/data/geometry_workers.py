"""Measures the geometry of a split in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial

from im2tex.data.geometry import Geometry
from im2tex.data.sample import Sample
from im2tex.utils.progress import progress_bar

_CHUNK = 512  # samples


def measure_split(samples: Sequence[Sample], processes: int | None = None) -> Geometry:
    """Measures all samples.

    Args:
        samples: pickled for each process, such as a `Split`, which is pickled as its path.
        processes: number of processes; that of the processors if not given.
    """
    firsts = range(0, len(samples), _CHUNK)
    processes = min(processes or os.cpu_count() or 1, len(firsts))
    measure = partial(_measure, samples)
    with progress_bar("measuring samples", len(samples)) as bar, ExitStack() as stack:
        found: Iterable[Geometry] = map(measure, firsts)
        if processes > 1:
            found = stack.enter_context(ProcessPoolExecutor(processes)).map(measure, firsts)
        parts = []
        for part in found:
            parts.append(part)
            bar.advance(len(part))
    return Geometry.concatenate(parts or [Geometry.of(())])


def _measure(samples: Sequence[Sample], first: int) -> Geometry:
    return Geometry.of(samples[first : first + _CHUNK], first)
