"""Measures the geometry of a split in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

from im2tex.data.geometry import Geometry
from im2tex.data.sample import Sample
from im2tex.utils.progress import progress_bar

_CHUNK = 512  # samples

_samples: Sequence[Sample] = ()  # of a worker process


def measure_split(samples: Sequence[Sample], processes: int | None = None) -> Geometry:
    """Measures all samples.

    Args:
        samples: such as a `Split`, which is opened once in each process.
        processes: number of processes; that of the processors if not given.
    """
    firsts = range(0, len(samples), _CHUNK)
    processes = min(processes or os.cpu_count() or 1, len(firsts))
    with progress_bar("measuring samples", len(samples)) as bar, ExitStack() as stack:
        found: Iterable[Geometry] = (_measure(samples, first) for first in firsts)
        if processes > 1:
            pool = ProcessPoolExecutor(processes, initializer=_start, initargs=(samples,))
            found = stack.enter_context(pool).map(_measure_own, firsts)
        parts = []
        for part in found:
            parts.append(part)
            bar.advance(len(part))
    return Geometry.concatenate(parts or [Geometry.of(())])


def _start(samples: Sequence[Sample]) -> None:
    global _samples  # noqa: PLW0603
    _samples = samples


def _measure_own(first: int) -> Geometry:
    return _measure(_samples, first)


def _measure(samples: Sequence[Sample], first: int) -> Geometry:
    return Geometry.of(samples[first : first + _CHUNK], first)
