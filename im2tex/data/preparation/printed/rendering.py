"""Candidates into splits of pictures: drawn in parts that are kept, then written.

The paper leaves formulas out of training and validation that are too large or too long, and keeps
every one in the test (section 4 of Deng et al. 2017); `SplitLimits` says so for each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from im2tex.data.preparation.printed.formulas import Candidate
from im2tex.data.preparation.printed.paper_images import EncodedImage, pad_and_downsample
from im2tex.data.preparation.resumable import StepCache
from im2tex.data.sample import Sample
from im2tex.render import CAUSES, Renderer
from im2tex.utils.progress import progress_bar

_PART = 2000  # formulas drawn between two savings: about ten seconds
MAX_WIDTH, MAX_HEIGHT = 500, 160
"""The paper's limits on pictures for training and validation, in pixels after halving."""


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """What a split takes of what it could have.

    Attributes:
        limit: most samples; the first that fit are taken.
        everything: takes pictures of any size, as the paper's test does.
        undrawn: takes formulas without a picture too, which then count as wrong.
    """

    limit: int | None = None
    everything: bool = False
    undrawn: bool = False


class RenderResult(NamedTuple):
    """A candidate's picture, or why there is none.

    Attributes:
        picture: as stored.
        reason: the class of the failure, in words.
        detail: its particulars.
    """

    picture: EncodedImage | None = None
    reason: str = ""
    detail: str = ""


RenderFn = Callable[[Sequence[Candidate]], Iterator[RenderResult]]


@dataclass
class SplitCounts:
    """What became of a split's candidates.

    Attributes:
        taken: samples in the store.
        left_out: numbers of others, by reason.
        undrawn: numbers of samples without a picture, by reason.
        characters: of each sample's markup.
        tokens: of each sample's label.
        sizes: height and width of each picture.
    """

    taken: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    undrawn: Counter[str] = field(default_factory=Counter)
    characters: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, candidate: Candidate, row: Mapping[str, Any]) -> None:
        """Counts a sample.

        Args:
            candidate: what is taken.
            row: its outcome.
        """
        self.taken += 1
        self.characters.append(len(candidate.latex))
        self.tokens.append(len(candidate.norm.split()))
        if row["reason"]:
            self.undrawn[row["reason"]] += 1
        else:
            self.sizes.append((row["height"], row["width"]))


class Problem(NamedTuple):
    """A candidate without a picture, for the list of them."""

    split: str
    key: str
    reason: str
    detail: str
    latex: str


def render_candidates(renderer: Renderer) -> RenderFn:
    """Draws candidates from their markup at the paper's settings."""

    def draw(candidates: Sequence[Candidate]) -> Iterator[RenderResult]:
        for rendering in renderer.render([one.latex for one in candidates]):
            if rendering.failure is not None:
                yield RenderResult(None, CAUSES[rendering.failure.cause], rendering.failure.reason)
            else:
                assert rendering.pixels is not None
                yield RenderResult(pad_and_downsample(rendering.pixels))

    return draw


class SplitRenderer:
    """One preparation's drawing, part by part.

    Args:
        cache: keeps the parts.
        candidates: in the order in which splits take them.
        rules: what each split takes.
        draw: makes their pictures.
        size: candidates in a part.
    """

    def __init__(
        self,
        cache: StepCache,
        candidates: Sequence[Candidate],
        rules: Mapping[str, SplitLimits],
        draw: RenderFn,
        size: int = _PART,
    ) -> None:
        self.cache = cache
        self.candidates = candidates
        self.rules = rules
        self.draw = draw
        self.size = size
        self.tallies = {split: SplitCounts() for split in rules}
        self.problems: list[Problem] = []
        self._parts: list[_Part] = []

    def run(self) -> None:
        """Draws until every split has what it takes, or nothing is left."""
        with progress_bar("drawing", self._expected()) as shown:
            position = 0
            while position < len(self.candidates):
                part, position = self._next(position)
                if not part:
                    break
                before = self._taken()
                self._count(part, self._part(len(self._parts), part))
                shown.advance(self._taken() - before)

    def _expected(self) -> int:
        """Samples to come, as far as can be foretold."""
        there = Counter(one.split for one in self.candidates)
        return sum(
            min(there[split], there[split] if rule.limit is None else rule.limit)
            for split, rule in self.rules.items()
        )

    def _taken(self) -> int:
        return sum(tally.taken for tally in self.tallies.values())

    def _next(self, position: int) -> tuple[list[int], int]:
        """The next part, from splits that are not full, and where the one after it begins."""
        open_ = {
            split
            for split, rule in self.rules.items()
            if rule.limit is None or self.tallies[split].taken < rule.limit
        }
        part: list[int] = []
        while position < len(self.candidates) and len(part) < self.size and open_:
            if self.candidates[position].split in open_:
                part.append(position)
            position += 1
        return part, position

    def _made(self, part: Sequence[int]) -> pa.Table:
        rows = [
            {
                "number": number,
                "image": picture and picture.png,
                "height": picture and picture.height,
                "width": picture and picture.width,
                "reason": reason,
                "detail": detail,
            }
            for number, (picture, reason, detail) in zip(
                part, self.draw([self.candidates[number] for number in part]), strict=True
            )
        ]
        return pa.Table.from_pylist(rows, schema=_SCHEMA)

    def _count(self, part: Sequence[int], table: pa.Table) -> None:
        """Says of each candidate of a part whether its split takes it."""
        taken: list[int] = []
        for place, (number, row) in enumerate(zip(part, _plain_rows(table), strict=True)):
            candidate = self.candidates[number]
            tally = self.tallies[candidate.split]
            reason = self._judged(candidate, row)
            if reason is None:
                taken.append(place)
                tally.add(candidate, row)
            else:
                tally.left_out[reason] += 1
            if row["reason"]:
                failure = row["reason"], row["detail"]
                self.problems.append(
                    Problem(candidate.split, candidate.key, *failure, candidate.latex)
                )
        self._parts.append(_Part(part, taken))

    def _judged(self, candidate: Candidate, row: Mapping[str, Any]) -> str | None:
        """Why a candidate is not taken, or None."""
        rule, tally = self.rules[candidate.split], self.tallies[candidate.split]
        if row["reason"]:
            return None if rule.undrawn else f"not drawn: {row['reason']}"
        if not rule.everything and (row["height"] > MAX_HEIGHT or row["width"] > MAX_WIDTH):
            return f"larger than {MAX_WIDTH} x {MAX_HEIGHT} pixels"
        if rule.limit is not None and tally.taken >= rule.limit:
            return "beyond the limit"
        return None

    def samples(self, split: str) -> Iterator[Sample]:
        """The samples of a split, once all is drawn."""
        for k, (numbers, taken) in enumerate(self._parts):
            table = self._part(k, numbers)
            rows, images = _plain_rows(table), table.column("image")
            for place in taken:
                candidate = self.candidates[numbers[place]]
                if candidate.split == split:
                    yield _sample(candidate, images[place].as_py(), rows[place])

    def _part(self, k: int, numbers: Sequence[int]) -> pa.Table:
        """The outcomes of a part: as kept, or drawn now."""
        return self.cache.step(f"part-{k:05d}", lambda: self._made(numbers))


class _Part(NamedTuple):
    """A part of the candidates by number, and the places in it of those that were taken."""

    numbers: Sequence[int]
    taken: Sequence[int]


_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("image", pa.binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


def _plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(["height", "width", "reason", "detail"]).to_pylist()
    return rows


def _sample(candidate: Candidate, image: bytes | None, row: Mapping[str, Any]) -> Sample:
    extra = {**candidate.extra, "tok": candidate.tok}
    if image is None:
        extra["failed"] = f"{row['reason']}: {row['detail']}"
    return Sample(
        candidate.key, candidate.latex, tuple(candidate.norm.split()), image=image, extra=extra
    )
