"""The table at the end of a test: metrics as rows, splits as columns.

The figures that people quote come first, then the others by what they compare, then what makes
them comparable: how many samples, which filter, which beam, which engine drew, and how many failed
at each stage.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sacrebleu.metrics.bleu import MAX_NGRAM_ORDER

from im2tex.utils.untrusted_text import strip_control

_RATES = ("expression_rate", "expression_rate_1", "expression_rate_2", "expression_rate_3")
_IMAGES = ("image_match", "image_match_no_space", "image_edit_score")
_GROUPS: dict[str, tuple[str, ...]] = {
    "": ("expression_rate", "image_match", "token_exact", "bleu_norm", "perplexity"),
    "label graphs, as the CROHME tools compare them": (*_RATES[1:], "structure_rate"),
    "label graphs, strict": tuple(f"{name}_strict" for name in (*_RATES, "structure_rate")),
    "pictures": (*_IMAGES[1:], "image_exact"),
    "pictures, as the script of Deng et al. compares them": tuple(
        f"{name}_released" for name in _IMAGES
    ),
    "tokens": (
        "token_within_1",
        "token_within_2",
        "token_within_3",
        "token_error_rate",
        "bleu",
        "bleu_tok",
    ),
    "attention: cells looked at in a decoding step": ("lookups_coarse", "lookups_fine"),
}
_SHARES = (
    "expression_rate",
    "structure_rate",
    "image_match",
    "image_exact",
    "image_edit_score",
    "token_exact",
    "token_within",
    "token_error_rate",
    "unfinished",
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
        beam: beam width of the search, 1 for greedy; None where nothing was searched.
        unfinished: share of hypotheses cut off at the length limit; None where unknown.
        facts: further rows, ready to print.
    """

    split: str
    metrics: dict[str, float]
    samples: int
    failed: int = 0
    filter: str = "none"
    beam: int | None = None
    unfinished: float | None = None
    facts: dict[str, str] = field(default_factory=dict)


class Section(NamedTuple):
    """Rows that belong together.

    Attributes:
        title: what they have in common; empty for none.
        rows: cells, names first.
        conditions: whether they say what was measured on, rather than figures.
    """

    title: str
    rows: list[list[str]]
    conditions: bool = False


def format_value(name: str, value: float) -> str:
    """A metric's value as people read it.

    Shares print as percent with two decimals, BLEU (which is on a scale of 100) with two decimals,
    perplexity with three, look-ups with one, anything else with four significant digits; nan as a
    dash.
    """
    name = name.rsplit("/", 1)[-1]
    if math.isnan(value):
        return _NONE
    if name.startswith(_SHARES):
        return f"{100 * value:.2f} %"
    if name.startswith("bleu"):
        return f"{value:.2f}"
    if name.startswith("perplexity"):
        return f"{value:.3f}"
    if name.startswith("lookups"):
        return f"{value:.1f}"
    return f"{value:.4g}"


def ordered(names: Iterable[str]) -> list[str]:
    """Names of metrics, each once: the known ones first, in reading order, then the others."""
    return [name for _, group in _grouped(names) for name in group]


def sections(scores: Sequence[SplitScores]) -> list[Section]:
    """The cells of the table; the last section says what was measured on."""
    groups = _grouped(name for split in scores for name in split.metrics)
    figures = [
        Section(title, [_figures(name, scores) for name in group]) for title, group in groups
    ]
    conditions = [
        ["samples", *(f"{split.samples:,}" for split in scores)],
        ["without a prediction", *(f"{split.failed:,}" for split in scores)],
        ["left out", *(split.filter for split in scores)],
    ]
    if any(split.beam is not None for split in scores):
        beams = (_NONE if split.beam is None else str(split.beam) for split in scores)
        conditions.append(["beam", *beams])
    if any(split.unfinished is not None for split in scores):
        shares = (math.nan if s.unfinished is None else s.unfinished for s in scores)
        conditions.append(["unfinished", *(format_value("unfinished", one) for one in shares)])
    for name in dict.fromkeys(name for split in scores for name in split.facts):
        conditions.append([name, *(split.facts.get(name, _NONE) for split in scores)])
    return [*figures, Section("", conditions, conditions=True)]


def bleu_note(scores: Iterable[SplitScores]) -> str | None:
    """Why a BLEU has no value; None where each has one."""
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


def rich_table(scores: Sequence[SplitScores], title: str | None = None) -> Table:
    """The table for a terminal."""
    title = None if title is None else strip_control(title)
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("", overflow="fold")
    for split in scores:
        table.add_column(Text(strip_control(split.split)), justify="right", overflow="fold")
    for number, section in enumerate(sections(scores)):
        if number:
            table.add_section()
        if section.title:
            table.add_row(Text(section.title, style="italic"))
        for cells in section.rows:
            table.add_row(
                *(Text(strip_control(cell)) for cell in cells),
                style="dim" if section.conditions else "",
            )
    return table


def print_table(
    scores: Sequence[SplitScores], title: str | None = None, file: TextIO | None = None
) -> None:
    """Prints the table and its note; into a file or a pipe never cut at 80 columns.

    On a terminal too narrow for all splits side by side they come one below the other.

    Args:
        scores: a column each.
        title: a line above.
        file: where to; standard output by default.
    """
    file = file or sys.stdout
    width = None if file.isatty() else 60 + 30 * len(scores)
    console = Console(file=file, width=width)
    table = rich_table(scores, title)
    unlimited = console.options.update(max_width=1_000)
    together = console.measure(table, options=unlimited).maximum <= console.width
    # Written at once, so that a reader who has seen enough (`| head`) is the caller's to notice.
    with console.capture() as text:
        for one in [table] if together else [rich_table([split], title) for split in scores]:
            console.print(one)
        note = bleu_note(scores)
        if note is not None:
            console.print(Text(strip_control(note)), soft_wrap=True)
    file.write(text.get())


def markdown_table(scores: Sequence[SplitScores]) -> str:
    """The same table in Markdown, ending with a newline."""
    lines = [["", *(split.split for split in scores)], ["---", *("---:" for _ in scores)]]
    for section in sections(scores):
        if section.title:
            lines.append([f"*{section.title}*", *("" for _ in scores)])
        lines += section.rows
    return markdown_rows(lines)


def markdown_rows(lines: Iterable[Iterable[str]]) -> str:
    """Cells as lines of a Markdown table; what stands between backquotes stays as it is."""
    return "".join(f"| {' | '.join(map(_escape, cells))} |\n" for cells in lines)


def _grouped(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    found = set(names)
    groups = [(title, [n for n in known if n in found]) for title, known in _GROUPS.items()]
    known = {name for _, group in groups for name in group}
    groups.append(("others", sorted(found - known)))
    return [(title, group) for title, group in groups if group]


def _figures(name: str, scores: Sequence[SplitScores]) -> list[str]:
    return [
        name,
        *(
            format_value(name, split.metrics[name]) if name in split.metrics else _NONE
            for split in scores
        ),
    ]


def _escape(cell: str) -> str:
    code = cell.startswith("`") and cell.endswith("`")
    text = cell if code else cell.replace("\\", "\\\\")
    return text.replace("|", "\\|").replace("\n", " ")
