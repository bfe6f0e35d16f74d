"""The table at the end of a test: metrics as rows, splits as columns.

With each figure what makes it comparable: how many samples, which filter, which beam, how many
hypotheses were cut off unfinished.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_ORDER = (
    "expression_rate",
    "image_match",
    "token_exact",
    "token_within_1",
    "token_within_2",
    "token_within_3",
    "token_error_rate",
    "bleu",
    "perplexity",
    "expression_rate_1",
    "expression_rate_2",
    "expression_rate_3",
    "structure_rate",
    "expression_rate_strict",
    "expression_rate_1_strict",
    "expression_rate_2_strict",
    "expression_rate_3_strict",
    "structure_rate_strict",
)
_SHARES = (
    "expression_rate",
    "structure_rate",
    "image_match",
    "token_exact",
    "token_within",
    "token_error_rate",
)
_NONE = "-"


@dataclass(frozen=True)
class SplitScores:
    """What was measured on one split.

    Attributes:
        split: its name.
        metrics: values by name, without the `test/` before it.
        samples: samples that the figures are over.
        failed: those among them without a prediction (unreadable, not drawn, not decoded); they
            count as wrong.
        filter: which samples were left out of the split, `none` for the full one.
        beam: beam width of the search, 1 for greedy.
        unfinished: share of hypotheses cut off at the length limit; None where unknown.
        facts: further rows, ready to print.
    """

    split: str
    metrics: dict[str, float]
    samples: int
    failed: int = 0
    filter: str = "none"
    beam: int = 1
    unfinished: float | None = None
    facts: dict[str, str] = field(default_factory=dict)


def format_value(name: str, value: float) -> str:
    """A metric's value as people read it.

    Shares print as percent with two decimals, BLEU (which is on a scale of 100) with two decimals,
    perplexity with three, anything else with four significant digits; nan as a dash.
    """
    name = name.rsplit("/", 1)[-1]
    if math.isnan(value):
        return _NONE
    if name.startswith(_SHARES) or name in ("unfinished", "image_edit_score"):
        return f"{100 * value:.2f} %"
    if name.startswith("bleu"):
        return f"{value:.2f}"
    if name.startswith("perplexity"):
        return f"{value:.3f}"
    return f"{value:.4g}"


def ordered(names: Iterable[str]) -> list[str]:
    """Names of metrics, each once: the known ones first, in reading order, then the others."""
    found = set(names)
    known = [name for name in _ORDER if name in found]
    return known + sorted(found - set(known))


def rows(scores: Sequence[SplitScores]) -> tuple[list[list[str]], list[list[str]]]:
    """The cells: rows of metrics, then rows of what they were measured on; names come first."""
    metrics = [
        [
            name,
            *(
                format_value(name, split.metrics[name]) if name in split.metrics else _NONE
                for split in scores
            ),
        ]
        for name in ordered(name for split in scores for name in split.metrics)
    ]
    conditions = [
        ["samples", *(f"{split.samples:,}" for split in scores)],
        ["without a prediction", *(f"{split.failed:,}" for split in scores)],
        ["left out", *(split.filter for split in scores)],
        ["beam", *(str(split.beam) for split in scores)],
        [
            "unfinished",
            *(
                _NONE if split.unfinished is None else format_value("unfinished", split.unfinished)
                for split in scores
            ),
        ],
    ]
    for name in dict.fromkeys(name for split in scores for name in split.facts):
        conditions.append([name, *(split.facts.get(name, _NONE) for split in scores)])
    return metrics, conditions


def rich_table(scores: Sequence[SplitScores], title: str | None = None) -> Table:
    """The table for a terminal."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("")
    for split in scores:
        table.add_column(Text(split.split), justify="right")
    metrics, conditions = rows(scores)
    for cells in metrics:
        table.add_row(*map(Text, cells))
    if metrics:
        table.add_section()
    for cells in conditions:
        table.add_row(*map(Text, cells), style="dim")
    return table


def print_table(
    scores: Sequence[SplitScores], title: str | None = None, file: TextIO | None = None
) -> None:
    """Prints the table; into a file or a pipe never cut at 80 columns.

    Args:
        scores: a column each.
        title: a line above.
        file: where to; standard output by default.
    """
    file = file or sys.stdout
    width = None if file.isatty() else 60 + 30 * len(scores)
    Console(file=file, width=width).print(rich_table(scores, title))


def markdown_table(scores: Sequence[SplitScores]) -> str:
    """The same table in Markdown, ending with a newline."""
    metrics, conditions = rows(scores)
    lines = [
        ["", *(split.split for split in scores)],
        ["---", *("---:" for _ in scores)],
        *metrics,
        *conditions,
    ]
    return "".join(f"| {' | '.join(map(_escape, cells))} |\n" for cells in lines)


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
