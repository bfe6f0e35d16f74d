"""Tables of metrics, for a terminal and in Markdown.

The metrics that are quoted most come first, then the others by what they compare, then the
conditions under which they were measured.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sacrebleu.metrics.bleu import MAX_NGRAM_ORDER

from im2tex.evaluation.metrics.names import DECIMALS, FRACTIONS, GROUPS
from im2tex.utils.untrusted_text import strip_control

NONE = "-"
"""The cell of a value that is missing or not defined."""


@dataclass(frozen=True)
class SplitScores:
    """One column of the table: the metrics of a split.

    Attributes:
        split: its name.
        metrics: values by name.
        samples: number of samples.
        filter: the filter of the split's samples; `none` for the full split.
        conditions: further rows, ready to print.
    """

    split: str
    metrics: Mapping[str, float]
    samples: int
    filter: str = "none"
    conditions: Mapping[str, str] = field(default_factory=dict)


class Section(NamedTuple):
    """Rows of a table that belong together.

    Attributes:
        title: empty for none.
        rows: cells, the row's name first.
        dim: whether the rows are conditions rather than results.
    """

    title: str
    rows: Sequence[Sequence[str]]
    dim: bool = False


def format_value(name: str, value: float) -> str:
    """Formats the value of a metric.

    Fractions as percent with two decimals, BLEU (0..100) with two decimals, perplexity with three,
    attention look-ups with one, other values with four significant digits; nan as a dash.
    """
    name = name.rsplit("/", 1)[-1]
    if math.isnan(value):
        return NONE
    if name in FRACTIONS:
        return f"{100 * value:.2f} %"
    for prefix, decimals in DECIMALS.items():
        if name.startswith(prefix):
            return f"{value:.{decimals}f}"
    return f"{value:.4g}"


def ordered(names: Iterable[str]) -> list[str]:
    """Names of metrics, each once, in the order of the table; unknown names come last."""
    return [name for _, group in _group_by_section(names) for name in group]


def sections(scores: Sequence[SplitScores]) -> list[Section]:
    """The rows of the table; the last section holds the conditions."""
    groups = _group_by_section(name for split in scores for name in split.metrics)
    results = [
        Section(title, [_metric_row(name, scores) for name in group]) for title, group in groups
    ]
    conditions = [
        ["samples", *(f"{split.samples:,}" for split in scores)],
        ["filter", *(split.filter for split in scores)],
    ]
    for name in dict.fromkeys(name for split in scores for name in split.conditions):
        conditions.append([name, *(split.conditions.get(name, NONE) for split in scores)])
    return [*results, Section("", conditions, dim=True)]


def bleu_note(scores: Iterable[SplitScores]) -> str | None:
    """Why a BLEU has no value; None if each has one."""
    undefined = {
        name
        for split in scores
        for name, value in split.metrics.items()
        if name.startswith("bleu") and math.isnan(value)
    }
    if not undefined:
        return None
    return (
        f"- for {', '.join(ordered(undefined))}: not defined. BLEU counts runs of up to "
        f"{MAX_NGRAM_ORDER} tokens, and no reference has {MAX_NGRAM_ORDER}."
    )


def rich_table(
    head: Sequence[str],
    parts: Iterable[Section],
    title: str | None = None,
    *,
    padding: int | None = None,
) -> Table:
    """A table for a terminal.

    Args:
        head: names of the columns.
        parts: the rows.
        title: printed above.
        padding: spaces between columns, whose values are not folded then; by default folded, with
            the usual space.
    """
    table = Table(
        title=None if title is None else Text(strip_control(title)),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
        padding=(0, 1) if padding is None else (0, padding, 0, 0),
        show_edge=padding is None,
    )
    table.add_column(Text(strip_control(head[0])), overflow="fold")
    for name in head[1:]:
        text = Text(strip_control(name))
        table.add_column(text, justify="right", overflow="fold", no_wrap=padding is not None)
    for index, section in enumerate(parts):
        if index:
            table.add_section()
        if section.title:
            table.add_row(Text(section.title, style="italic"))
        for cells in section.rows:
            texts = (Text(strip_control(cell)) for cell in cells)
            table.add_row(*texts, style="dim" if section.dim else "")
    return table


def print_table(
    scores: Sequence[SplitScores], title: str | None = None, file: TextIO | None = None
) -> None:
    """Prints the table of a test and its note; into a file or a pipe without cutting lines.

    On a terminal too narrow for all splits side by side they come one below the other.

    Args:
        scores: a column each.
        title: printed above.
        file: where to print; standard output by default.
    """
    console = open_console(file, 60 + 30 * len(scores))
    table = _split_table(scores, title)
    unlimited = console.options.update(max_width=1_000)
    fits = console.measure(table, options=unlimited).maximum <= console.width
    tables = [table] if fits else [_split_table([split], title) for split in scores]
    note = bleu_note(scores)
    print_at_once(console, [*tables, *([(note, "")] if note else [])])


def open_console(file: TextIO | None, width: int) -> Console:
    """A console that prints to a terminal in its width, and to a file or a pipe in another.

    Args:
        file: where to print; None for standard output.
        width: columns of lines that are not printed to a terminal.
    """
    file = file or sys.stdout
    return Console(file=file, width=None if file.isatty() else width, highlight=False)


def print_at_once(console: Console, parts: Iterable[Table | tuple[str, str]]) -> None:
    """Prints tables and texts below each other, without cutting lines.

    They are written at once, so that only this call can meet a closed pipe (`| head`).

    Args:
        console: console to print to, see `open_console`.
        parts: tables, and texts with their styles.
    """
    with console.capture() as captured:
        for part in parts:
            if isinstance(part, Table):
                console.print(part)
            else:
                text, style = part
                console.print(Text(strip_control(text, keep="\n"), style), soft_wrap=True)
    console.file.write(captured.get())


def markdown_table(head: Sequence[str], parts: Iterable[Section], text_columns: int = 1) -> str:
    """A table in Markdown, ending with a newline.

    Args:
        head: names of the columns.
        parts: the rows.
        text_columns: how many columns are aligned to the left.
    """
    rule = ["---" if index < text_columns else "---:" for index in range(len(head))]
    lines: list[Sequence[str]] = [head, rule]
    for section in parts:
        if section.title:
            lines.append([f"*{section.title}*", *[""] * (len(head) - 1)])
        lines += section.rows
    return "".join(f"| {' | '.join(map(_escape, cells))} |\n" for cells in lines)


def split_markdown(scores: Sequence[SplitScores]) -> str:
    """The table of a test in Markdown."""
    return markdown_table(["", *(split.split for split in scores)], sections(scores))


def _split_table(scores: Sequence[SplitScores], title: str | None) -> Table:
    return rich_table(["", *(split.split for split in scores)], sections(scores), title)


def _group_by_section(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    found = set(names)
    groups = [(title, [n for n in known if n in found]) for title, known in GROUPS.items()]
    known = {name for _, group in groups for name in group}
    groups.append(("others", sorted(found - known)))
    return [(title, group) for title, group in groups if group]


def _metric_row(name: str, scores: Sequence[SplitScores]) -> list[str]:
    values = (split.metrics.get(name, math.nan) for split in scores)
    return [name, *(format_value(name, value) for value in values)]


def _escape(cell: str) -> str:
    """A cell of Markdown; text in backquotes keeps its backslashes."""
    code = cell.startswith("`") and cell.endswith("`")
    text = cell if code else cell.replace("\\", "\\\\")
    return text.replace("|", "\\|").replace("\n", " ")
