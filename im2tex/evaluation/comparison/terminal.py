"""Comparisons for people: a table a split and the samples that changed, on a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from rapidfuzz.distance import Levenshtein
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from im2tex.evaluation.comparison.comparison import Change, Comparison, Right, SplitComparison
from im2tex.evaluation.comparison.loading import TestResult
from im2tex.evaluation.comparison.paired import ScoreComparison
from im2tex.evaluation.reports.table import format_value
from im2tex.utils.untrusted_text import strip_control

_NONE = "-"
_NAMED = 5  # keys of a list that is too long to print
_CERTAIN = 0.05
_ROOMY = 100  # columns of a terminal, from which on there is room between those of a table
_EITHER: tuple[Right, Right] = ("a", "b")


def legend(comparisons: Sequence[Comparison]) -> list[tuple[str, TestResult]]:
    """The letter of each test, the first one's first."""
    return [("A", comparisons[0].a), *((one.letters[1], one.b) for one in comparisons)]


def rows(split: SplitComparison, letters: tuple[str, str]) -> list[list[str]]:
    """The cells of a split's table; the first row is its head."""
    a, b = letters
    head = ["", a, b, f"{b} - {a}", "95 % interval", f"only {a}", f"only {b}", "p"]
    return [head, *(_row(verdict) for verdict in split.verdicts)]


def counts(split: SplitComparison, letters: tuple[str, str]) -> list[str]:
    """What the table of a split does not say, a line each."""
    fewer = [f"{one.name} {one.samples:,}" for one in split.verdicts if one.samples < split.samples]
    lines = [f"Over those samples that have it in both: {', '.join(fewer)}"] if fewer else []
    lines += [
        f"{len(keys):,} samples only in {letter}: {_some(keys)}"
        for letter, keys in zip(letters, (split.only_in_a, split.only_in_b), strict=True)
        if keys
    ]
    alike = sum(change.right not in _EITHER for change in split.changes)
    if split.by is None:
        return [*lines, f"{alike:,} read differently; no yes-or-no verdict says who is right"]
    a, b = (f"{len(of(split, who)):,}" for who in _EITHER)
    return [
        *lines,
        f"By {split.by}: {a} right in {letters[0]} alone, {b} in {letters[1]} alone; "
        f"{alike:,} read differently and judged alike",
    ]


def of(split: SplitComparison, right: Right | None) -> list[Change]:
    """The changed samples that this one has right; with None, those that were not judged."""
    return [change for change in split.changes if change.right == right]


def method(comparisons: Sequence[Comparison], resamples: int, seed: int) -> str:
    """How the figures were computed."""
    tested = [
        verdict.name
        for one in comparisons
        for split in one.splits
        for verdict in split.verdicts
        if verdict.p_holm is not None
    ]
    corrected = (
        f"; * below {_CERTAIN} after Holm's correction for the {len(tested)} tests of "
        f"{', '.join(dict.fromkeys(tested))}"
    )
    return (
        "Differences of shares are in percentage points. Intervals: paired bootstrap over samples, "
        f"{resamples:,} resamples, seed {seed}. p: McNemar's exact test, two-sided"
        f"{corrected if tested else ''}."
    )


def print_comparisons(
    comparisons: Sequence[Comparison],
    *,
    show: int,
    resamples: int,
    seed: int,
    file: TextIO | None = None,
) -> None:
    """Prints comparisons; into a file or a pipe nothing is cut or wrapped.

    Args:
        comparisons: with the same first test.
        show: how many changed samples of a kind to list in each split.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        file: where to; standard output by default.
    """
    file = file or sys.stdout
    console = Console(file=file, width=None if file.isatty() else 120, highlight=False)
    # Written at once, so that a reader who has seen enough (`| head`) is the caller's to notice.
    with console.capture() as text:
        for letter, one in legend(comparisons):
            _print(console, Text(strip_control(f"{letter}  {one.path}")))
        for comparison in comparisons:
            if len(comparisons) > 1:
                _print(console, Text("\n{1} against {0}".format(*comparison.letters), "bold"))
            for note in comparison.notes:
                _print(console, Text(strip_control(f"note: {note}"), "yellow"))
            for split in comparison.splits:
                console.print()
                console.print(_table(split, comparison.letters, roomy=console.width >= _ROOMY))
                console.print()
                for line in counts(split, comparison.letters):
                    _print(console, Text(strip_control(line)))
                for sample in _listing(split, comparison.letters, show):
                    _print(console, sample)
        said = strip_control(method(comparisons, resamples, seed))
        console.print(Text(f"\n{said}", "dim"))
    file.write(text.get())


def _row(verdict: ScoreComparison) -> list[str]:
    low, high = _signed(verdict, verdict.low), _signed(verdict, verdict.high)
    star = " *" if verdict.p_holm is not None and verdict.p_holm < _CERTAIN else ""
    return [
        verdict.name,
        _figure(verdict, verdict.a),
        _figure(verdict, verdict.b),
        _signed(verdict, verdict.difference),
        f"{low} .. {high}",
        _NONE if verdict.only_a is None else f"{verdict.only_a:,}",
        _NONE if verdict.only_b is None else f"{verdict.only_b:,}",
        _NONE if verdict.p is None else _probability(verdict.p) + star,
    ]


def _figure(verdict: ScoreComparison, value: float) -> str:
    if verdict.kind == "share":  # whatever it is called
        return f"{100 * value:.2f} %"
    if verdict.kind == "ratio":
        return format_value(verdict.name, value)
    # Four digits of the larger figure, and as many decimals for all that is compared with it.
    larger = max(abs(verdict.a), abs(verdict.b))
    whole = math.floor(math.log10(larger)) if larger else 0
    return f"{value:.{min(max(3 - whole, 0), 6)}f}"


def _signed(verdict: ScoreComparison, value: float) -> str:
    if math.isnan(value):
        return _NONE
    size = _figure(verdict, abs(value)).removesuffix(" %")
    if not size.strip("0."):
        return size
    return f"{'-' if value < 0 else '+'}{size}"


def _probability(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"


def _table(split: SplitComparison, letters: tuple[str, str], *, roomy: bool) -> Table:
    table = Table(
        title=Text(f"{strip_control(split.split)}: {split.samples:,} samples in both"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        padding=(0, 1 if roomy else 0, 0, 0),
        show_edge=False,
    )
    head, *body = rows(split, letters)
    for number, name in enumerate(head):
        table.add_column(
            name,
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number > 0,  # names of verdicts may be folded, figures not
        )
    for cells in body:
        table.add_row(*(Text(strip_control(cell)) for cell in cells))
    return table


def _listing(split: SplitComparison, letters: tuple[str, str], show: int) -> Iterator[Text]:
    """The first changed samples of each side, with what is wrong coloured."""
    for who, letter in zip(_EITHER, letters, strict=True):
        changes = of(split, who)
        if not changes or not show:
            continue
        first = f", the first {show}" if len(changes) > show else ""
        yield Text(f"\nRight in {letter} alone{first}:", "bold")
        width = max(4, *map(len, letters))
        for change in changes[:show]:
            yield Text(f"  {strip_control(change.a.key)}")
            wrong = change.b if who == "a" else change.a
            yield _line("gold", width, change.a.gold, wrong.prediction or ())
            for name, sample in zip(letters, (change.a, change.b), strict=True):
                if sample.prediction is None:
                    stage = f" (failed at: {sample.failed_at})" if sample.failed_at else ""
                    yield Text(f"    {name:{width}}  no reading{stage}", "red")
                else:
                    yield _line(name, width, sample.prediction, change.a.gold)


def _line(name: str, width: int, tokens: Sequence[str], other: Sequence[str]) -> Text:
    """Tokens, red where `other` does not have them."""
    line = Text(f"    {name:{width}} ")
    unlike: set[int] = set()
    for step in Levenshtein.opcodes(tokens, other):
        if step.tag != "equal":
            unlike.update(range(step.src_start, step.src_end))
    for place, token in enumerate(tokens):
        line.append(" ")
        line.append(strip_control(token), "red" if place in unlike else None)
    return line


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)


def _some(keys: Sequence[str]) -> str:
    more = ", ..." if len(keys) > _NAMED else ""
    return ", ".join(map(strip_control, keys[:_NAMED])) + more
