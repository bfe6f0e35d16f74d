"""Renders the candidates of each split, in chunks that are cached.

Section 4 of Deng et al. 2017 skips formulas of training and validation that are too large or too
long and keeps every test formula; `SplitLimits` holds these limits for each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from im2tex.data.preparation.printed.formulas import Candidate
from im2tex.data.preparation.printed.paper_images import pad_and_downsample
from im2tex.data.preparation.resumable import StepCache
from im2tex.data.sample import Sample
from im2tex.render import CAUSES, Renderer
from im2tex.utils.progress import progress_bar

_CHUNK = 2000  # formulas between two writes to the cache: about ten seconds
MAX_WIDTH, MAX_HEIGHT = 500, 160
"""The paper's limits on training and validation images, in pixels after downsampling."""

_BEYOND_LIMIT = "beyond the limit"  # of a split that has its number of samples


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """Limits of what a split takes.

    Attributes:
        limit: maximum number of samples; the first that fit are taken.
        keep_oversized: take images of any size, as the paper's test split does.
        keep_unrendered: take formulas without an image, which count as wrong predictions.
    """

    limit: int | None = None
    keep_oversized: bool = False
    keep_unrendered: bool = False


class RenderResult(NamedTuple):
    """The image of a candidate, or why it has none.

    Attributes:
        image: the image as stored, a PNG file.
        height: height of the image in pixels.
        width: width of the image in pixels.
        reason: class of the failure, in words.
        detail: details of the failure.
    """

    image: bytes | None = None
    height: int | None = None
    width: int | None = None
    reason: str = ""
    detail: str = ""


RenderFn = Callable[[Sequence[Candidate]], Iterator[RenderResult]]

RESULT_SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""The columns of cached results."""


@dataclass
class SplitCounts:
    """Counts over the candidates of a split.

    Attributes:
        taken: number of samples in the store.
        skipped: number of other candidates, by reason.
        unrendered: number of samples without an image, by reason.
    """

    taken: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unrendered: Counter[str] = field(default_factory=Counter)


class RenderProblem(NamedTuple):
    """A candidate without an image, for `problems.tsv`."""

    split: str
    key: str
    reason: str
    detail: str
    latex: str


def render_candidates(renderer: Renderer) -> RenderFn:
    """Returns a function that renders the markup of candidates with the paper's settings."""

    def render(candidates: Sequence[Candidate]) -> Iterator[RenderResult]:
        for rendering in renderer.render([candidate.latex for candidate in candidates]):
            if rendering.failure is not None:
                cause = CAUSES[rendering.failure.cause]
                yield RenderResult(reason=cause, detail=rendering.failure.reason)
            else:
                assert rendering.pixels is not None
                yield RenderResult(*pad_and_downsample(rendering.pixels))

    return render


class SplitRenderer:
    """Renders the candidates of a preparation, chunk by chunk.

    Args:
        cache: cache of the chunks.
        candidates: candidates in the order in which the splits take them.
        limits: limits of each split.
        render_fn: renders a sequence of candidates.
        chunk_size: number of candidates in a chunk.

    Attributes:
        counts: counts of each split, complete after `run`.
        problems: the candidates without an image.
    """

    def __init__(
        self,
        cache: StepCache,
        candidates: Sequence[Candidate],
        limits: Mapping[str, SplitLimits],
        render_fn: RenderFn,
        chunk_size: int = _CHUNK,
    ) -> None:
        self.cache = cache
        self.candidates = candidates
        self.limits = limits
        self.render_fn = render_fn
        self.chunk_size = chunk_size
        self.counts = {split: SplitCounts() for split in limits}
        self.problems: list[RenderProblem] = []
        # For each chunk, the indices of its candidates and the positions in it that were taken.
        self._chunks: list[tuple[list[int], list[int]]] = []

    def run(self) -> None:
        """Renders until every split has its number of samples, or no candidate is left."""
        available = Counter(candidate.split for candidate in self.candidates)
        expected = sum(
            min(available[split], limits.limit or available[split])
            for split, limits in self.limits.items()
        )
        with progress_bar("rendering", expected) as shown:
            start = 0
            while start < len(self.candidates):
                indices, start = self._next_chunk(start)
                if not indices:
                    break
                shown.advance(self._take(indices))

    def samples(self, split: str) -> Iterator[Sample]:
        """Yields the samples of a split after `run`."""
        for k, (indices, taken) in enumerate(self._chunks):
            table = self._render_chunk(k, indices)
            rows, images = _without_images(table), table.column("image")
            for position in taken:
                candidate = self.candidates[indices[position]]
                if candidate.split == split:
                    yield _sample(candidate, images[position].as_py(), rows[position])

    def report_lines(self) -> Iterator[str]:
        """Yields the counts after `run` as lines of a report."""
        for split, counts in self.counts.items():
            for reason, number in counts.skipped.most_common():
                if reason != _BEYOND_LIMIT:
                    yield f"{split}: {number:,} skipped: {reason}"
            for reason, number in counts.unrendered.most_common():
                yield f"{split}: {number:,} without an image, which count as wrong: {reason}"
        total = sum(counts.taken for counts in self.counts.values())
        yield f"{total:,} pairs; the paper: 103,556 (train 83,883, validation 9,319, test 10,354)"

    def _is_full(self, split: str) -> bool:
        limit = self.limits[split].limit
        return limit is not None and self.counts[split].taken >= limit

    def _next_chunk(self, start: int) -> tuple[list[int], int]:
        """Returns candidates of splits that are not full, and the index behind them."""
        unfilled = {split for split in self.limits if not self._is_full(split)}
        indices: list[int] = []
        while start < len(self.candidates) and len(indices) < self.chunk_size and unfilled:
            if self.candidates[start].split in unfilled:
                indices.append(start)
            start += 1
        return indices, start

    def _render_chunk(self, k: int, indices: Sequence[int]) -> pa.Table:
        """Returns the results of a chunk, from the cache or rendered now."""

        def compute() -> pa.Table:
            results = self.render_fn([self.candidates[index] for index in indices])
            return pa.Table.from_pylist(
                [result._asdict() for result in results], schema=RESULT_SCHEMA
            )

        return self.cache.step(f"part-{k:05d}", compute)

    def _take(self, indices: list[int]) -> int:
        """Takes or skips each candidate of the next chunk; returns the number taken."""
        rows = _without_images(self._render_chunk(len(self._chunks), indices))
        taken: list[int] = []
        for position, (index, row) in enumerate(zip(indices, rows, strict=True)):
            candidate = self.candidates[index]
            counts = self.counts[candidate.split]
            if reason := self._skip_reason(candidate, row):
                counts.skipped[reason] += 1
            else:
                taken.append(position)
                counts.taken += 1
                if row["reason"]:
                    counts.unrendered[row["reason"]] += 1
            if row["reason"]:
                failure = row["reason"], row["detail"]
                problem = RenderProblem(candidate.split, candidate.key, *failure, candidate.latex)
                self.problems.append(problem)
        self._chunks.append((indices, taken))
        return len(taken)

    def _skip_reason(self, candidate: Candidate, row: Mapping[str, Any]) -> str:
        """Returns why a candidate is not taken, or ""."""
        limits = self.limits[candidate.split]
        if row["reason"]:
            return "" if limits.keep_unrendered else f"not rendered: {row['reason']}"
        if not limits.keep_oversized and (row["height"] > MAX_HEIGHT or row["width"] > MAX_WIDTH):
            return f"larger than {MAX_WIDTH} x {MAX_HEIGHT} pixels"
        return _BEYOND_LIMIT if self._is_full(candidate.split) else ""


def _without_images(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(["height", "width", "reason", "detail"]).to_pylist()
    return rows


def _sample(candidate: Candidate, image: bytes | None, row: Mapping[str, Any]) -> Sample:
    extra = {**candidate.extra, "tok": candidate.tok}
    if image is None:
        extra["failed"] = f"{row['reason']}: {row['detail']}"
    return Sample(
        candidate.key, candidate.latex, tuple(candidate.norm.split()), image=image, extra=extra
    )
