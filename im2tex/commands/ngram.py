"""`im2tex ngram`: perplexity of formulas under an n-gram model, the "5-gram LM" of the paper."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.commands.command_parser import check_minimum
from im2tex.commands.formula_files import read_split_or_file
from im2tex.commands.score import result_path
from im2tex.errors import Im2TexError

if TYPE_CHECKING:
    from im2tex.language import KneserNey

Formulas = list[Sequence[str]]

_SIGNATURE = "exp(-log p / tokens), every formula's end among the tokens; no formula left out"


def ngram(
    *,
    train: str,
    test: Sequence[str] = (),
    order: int = 5,
    min_count: int = 1,
    root: Path = Path("data"),
    out: Path | None = None,
) -> None:
    """Counts n-grams of tokens and prints the perplexity per token, as `im2tex test` does.

    The model is interpolated modified Kneser-Ney. No images are needed.

    Args:
        train: formulas to count, a prepared split such as crohme:train, or a file as for `im2tex
            score`.
        test: formulas to measure in addition, likewise.
        order: order of the longest n-gram.
        min_count: tokens with a lower count become <unk>, as with model.min_count.
        root: folder of the prepared data.
        out: JSON file of the result.

    Raises:
        Im2TexError: if formulas cannot be read or there are none, a number is out of range, or
            the result is not writable.
    """
    from im2tex.evaluation.environment import command_line
    from im2tex.evaluation.results import RunResult
    from im2tex.language import KneserNey

    started = time.monotonic()
    path = None if out is None else result_path(out)
    check_minimum(1, order=order, min_count=min_count)
    given = list(dict.fromkeys([train, *test]))
    formulas = {name: _formulas(name, root) for name in given}
    model = KneserNey(formulas[train], order, min_count)
    sources = {_source_and_split(name)[0] for name in test or [train]}
    source = sources.pop() if len(sources) == 1 else None
    names = _column_names(given, source)
    figures = {names[name]: _figures(model, formulas[name]) for name in given}
    print(f"{order}-gram model of {train}, interpolated modified Kneser-Ney")
    _print_table(figures)
    print(
        f"Vocabulary: {len(model.vocabulary.ordinary)} tokens seen at least {min_count} "
        f"time{'s' if min_count > 1 else ''} in {train}, and <unk>."
    )
    few = [str(n) for n, one in enumerate(model.discounts, 1) if not one.estimated]
    if few:
        print(
            f"Too few counts to estimate the discounts of order {', '.join(few)}: "
            f"{' '.join(map(str, model.discounts[int(few[0]) - 1].values))} are used."
        )
    if path is None:
        print("Use --out FILE.json to write the figures with command, commit and machine.")
        return
    result = RunResult(
        command=command_line(),
        config={"order": order, "min_count": min_count, "smoothing": "modified Kneser-Ney"},
        data={
            "source": source or ", ".join(test or [train]),
            "train": train,
            "test": list(test),
            "splits": {name: found["formulas"] for name, found in figures.items()},
            "filter": dict.fromkeys(figures, "none"),
            **{
                key: {name: found[key] for name, found in figures.items()}
                for key in ("tokens", "types", "unknown")
            },
            "vocabulary": len(model.vocabulary.ordinary),
            "discounts": [
                {"values": one.values, "estimated": one.estimated} for one in model.discounts
            ],
        },
        seed=None,
        metrics={name: {"perplexity": found["perplexity"]} for name, found in figures.items()},
        wall_time_s=round(time.monotonic() - started, 1),
        signatures={"perplexity": _SIGNATURE},
    )
    print(f"Result: {result.save(path)}")


def _formulas(name: str, root: Path) -> Formulas:
    """The token lists of a prepared split or a file; empty formulas are included.

    Raises:
        Im2TexError: if they cannot be read, or a formula cannot be used.
    """
    _, records, _ = read_split_or_file(name, "references", root)
    fault = next((record for record in records if record.fault is not None), None)
    if fault is not None:
        raise Im2TexError(f"{fault.where}: {fault.fault}. Correct or remove it.")
    return [record.tokens or () for record in records]


def _source_and_split(name: str) -> tuple[str, str]:
    """Source and split of `SOURCE:SPLIT`; for a file, an empty source and its stem."""
    source, _, split = name.partition(":")
    return ("", Path(name).stem) if Path(name).exists() else (source, split)


def _column_names(given: Sequence[str], source: str | None) -> Mapping[str, str]:
    """The split for formulas of `source`, the full name for others and where splits collide."""
    origins = {name: _source_and_split(name) for name in given}
    short = {name: split if of == source else name for name, (of, split) in origins.items()}
    uses = Counter(short.values())
    return {name: column if uses[column] == 1 else name for name, column in short.items()}


def _figures(model: KneserNey, formulas: Formulas) -> dict[str, float]:
    tokens = [token for formula in formulas for token in formula]
    return {
        "perplexity": model.perplexity(formulas),
        "formulas": len(formulas),
        "tokens": len(tokens) + len(formulas),
        "types": len(set(tokens)),
        "unknown": sum(token not in model.vocabulary for token in tokens),
    }


def _print_table(figures: Mapping[str, Mapping[str, float]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from im2tex.evaluation.reports.table import format_value

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in figures:
        table.add_column(name, justify="right")
    rows = {
        "perplexity": "perplexity",
        "formulas": "formulas",
        "tokens": "tokens, ends included",
        "types": "different tokens",
        "unknown": "tokens not in the vocabulary",
    }
    for key, title in rows.items():
        values = (found[key] for found in figures.values())
        cells = (format_value(key, v) if key == "perplexity" else f"{v:,}" for v in values)
        table.add_row(title, *cells)
    # A pipe is never cut at 80 columns, as with the tables of other commands.
    Console(width=None if sys.stdout.isatty() else 1_000).print(table)
