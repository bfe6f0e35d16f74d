"""Comparisons as a page of Markdown: the tables, and every sample that changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from im2tex.evaluation.comparison.comparison import Change, Comparison
from im2tex.evaluation.comparison.terminal import counts, legend, method, of, rows
from im2tex.evaluation.results import SampleResult


def markdown_page(comparisons: Sequence[Comparison], resamples: int, seed: int) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        comparisons: with the same first test.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    yield "# Comparison\n\n"
    for letter, test in legend(comparisons):
        yield f"- {letter}: {_code(str(test.path))}\n"
    for one in comparisons:
        a, b = one.letters
        yield f"\n## {b} against {a}\n"
        if one.notes:
            yield "\n"
        for note in one.notes:
            yield f"- Note: {_escape(note)}\n"
        for split in one.splits:
            yield f"\n### {_escape(split.split)}: {split.samples:,} samples in both\n\n"
            head, *body = rows(split, one.letters)
            yield from _table(head, [map(_escape, row) for row in body], numbers=True)
            for line in counts(split, one.letters):
                yield f"\n{_escape(line)}.\n"
            kinds = (
                (f"Right in {a} alone", of(split, "a")),
                (f"Right in {b} alone", of(split, "b")),
                ("Read differently, right in both", of(split, "both")),
                ("Read differently, right in neither", of(split, "neither")),
                ("Read differently, not judged", of(split, None)),
            )
            for title, changes in kinds:
                if changes:
                    yield f"\n#### {title}\n\n"
                    yield from _table(["sample", "gold", a, b], map(_cells, changes))
    yield f"\n{_escape(method(comparisons, resamples, seed))}\n"


def _cells(change: Change) -> list[str]:
    gold = _code(" ".join(change.a.gold))
    return [_escape(change.a.key), gold, _reading(change.a), _reading(change.b)]


def _reading(sample: SampleResult) -> str:
    return "no reading" if sample.prediction is None else _code(" ".join(sample.prediction))


def _table(
    head: Sequence[str], body: Iterable[Iterable[str]], *, numbers: bool = False
) -> Iterator[str]:
    rule = ["---", *["---:" if numbers else "---"] * (len(head) - 1)]
    for cells in (head, rule, *body):
        yield f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    """`text` as code, within a table too: fenced by more backticks than it has in a row."""
    text = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}" if text else ""


def _escape(text: str) -> str:
    return re.sub(r"([\\`*<>|\[\]])", r"\\\1", " ".join(text.split()))
