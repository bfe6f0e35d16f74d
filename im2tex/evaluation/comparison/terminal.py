"""Comparisons on a terminal: a table for each split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TextIO

from rich.table import Table

from im2tex.evaluation.comparison.comparison import (
    Comparison,
    SplitComparison,
    all_metrics,
    legend,
)
from im2tex.evaluation.comparison.paired import MetricComparison
from im2tex.evaluation.reports.table import (
    NONE,
    Section,
    format_value,
    open_console,
    print_at_once,
    rich_table,
)
from im2tex.utils.wording import counted

_MAX_KEYS = 5  # keys of a list that are printed
_SIGNIFICANT = 0.05
_WIDE = 100  # columns of a terminal from which on the table is printed with more space


def print_comparisons(
    comparisons: Sequence[Comparison],
    *,
    resamples: int,
    seed: int,
    file: TextIO | None = None,
) -> None:
    """Prints comparisons; into a file or a pipe without cutting lines.

    Args:
        comparisons: comparisons with the same first test.
        resamples: number of resamples of the bootstrap.
        seed: seed of the bootstrap.
        file: where to print; standard output by default.
    """
    console = open_console(file, 120)
    parts: list[Table | tuple[str, str]] = [
        (f"{letter}  {test.path}", "") for letter, test in legend(comparisons)
    ]
    for comparison in comparisons:
        letter = comparison.letter
        if len(comparisons) > 1:
            parts.append((f"\n{letter} against A", "bold"))
        parts += [(f"note: {note}", "yellow") for note in comparison.notes]
        head = ["", "A", letter, f"{letter} - A", "95 % interval", "only A", f"only {letter}", "p"]
        for split in comparison.splits:
            rows = Section("", [_row(metric) for metric in split.metrics])
            title = f"{split.split}: {counted(split.samples, 'sample')} in both"
            table = rich_table(head, [rows], title, padding=int(console.width >= _WIDE))
            parts += [("", ""), table, *((count, "") for count in _counts(split, letter))]
    print_at_once(console, [*parts, ("\n" + _method(comparisons, resamples, seed), "dim")])


def _row(metric: MetricComparison) -> list[str]:
    low, high = _format_signed(metric, metric.low), _format_signed(metric, metric.high)
    star = " *" if metric.p_holm is not None and metric.p_holm < _SIGNIFICANT else ""
    return [
        metric.name,
        _value(metric, metric.a),
        _value(metric, metric.b),
        _format_signed(metric, metric.difference),
        f"{low} .. {high}",
        NONE if metric.only_a is None else f"{metric.only_a:,}",
        NONE if metric.only_b is None else f"{metric.only_b:,}",
        NONE if metric.p is None else _probability(metric.p) + star,
    ]


def _value(metric: MetricComparison, value: float) -> str:
    if metric.kind == "rate":
        return f"{100 * value:.2f} %"
    if metric.kind == "ratio":
        return format_value(metric.name, value)
    # Four digits of the larger value, and as many decimals for all that is compared with it.
    larger = max(abs(metric.a), abs(metric.b))
    whole = math.floor(math.log10(larger)) if larger else 0
    return f"{value:.{min(max(3 - whole, 0), 6)}f}"


def _format_signed(metric: MetricComparison, value: float) -> str:
    if math.isnan(value):
        return NONE
    size = _value(metric, abs(value)).removesuffix(" %")
    return f"{'-' if value < 0 else '+'}{size}" if size.strip("0.") else size


def _probability(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"


def _counts(split: SplitComparison, letter: str) -> list[str]:
    """Numbers of samples that the table does not give, a line each."""
    fewer = [
        f"{metric.name} {metric.samples:,}"
        for metric in split.metrics
        if metric.samples < split.samples
    ]
    lines = [f"Over the samples that have it in both: {', '.join(fewer)}"] if fewer else []
    for test, keys in zip(("A", letter), split.only_in, strict=True):
        if keys:
            listed = ", ".join([*keys[:_MAX_KEYS], *["..."][: len(keys) > _MAX_KEYS]])
            lines.append(f"{counted(len(keys), 'sample')} only in {test}: {listed}")
    if split.by is None:
        return [*lines, "No yes-or-no metric is compared that says which samples are right"]
    a, b = map(len, split.right)
    return [*lines, f"By {split.by}: {a:,} right in A alone, {b:,} in {letter} alone"]


def _method(comparisons: Sequence[Comparison], resamples: int, seed: int) -> str:
    """How the differences were computed and tested."""
    tested = [metric.name for metric in all_metrics(comparisons) if metric.p_holm is not None]
    tests = f"{counted(len(tested), 'test')} of {', '.join(dict.fromkeys(tested))}"
    corrected = f"; * below {_SIGNIFICANT} after Holm's correction for the {tests}"
    return (
        "Differences of rates are in percentage points. Intervals: paired bootstrap over samples, "
        f"{resamples:,} resamples, seed {seed}. p: McNemar's exact test, two-sided"
        f"{corrected if tested else ''}."
    )
