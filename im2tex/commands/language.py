"""`im2tex ngram`: what a model of formulas alone makes of them, the "5-gram LM" of the paper."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from im2tex.commands.formula_files import read_formulas
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError
from im2tex.evaluation.reports.table import format_value
from im2tex.evaluation.results import RunResult, command_line
from im2tex.language import KneserNey

Labels = list[Sequence[str]]

_SIGNATURE = "exp(-log p / tokens), every formula's end among the tokens; no formula left out"


def ngram(
    train: str,
    tests: Sequence[str],
    *,
    order: int = 5,
    min_count: int = 1,
    root: Path = Path("data"),
    out: Path | None = None,
) -> None:
    """Counts n-grams in formulas, prints the perplexity of these and of others.

    Args:
        train: formulas to learn from, a prepared split `SOURCE:SPLIT` or a file.
        tests: formulas to measure, likewise.
        order: the longest n-gram.
        min_count: tokens seen less often are `<unk>`, as with a model's `min_count`.
        root: folder of the stores.
        out: `FOLDER/NAME` of the result; none is written if not given.

    Raises:
        Im2TexError: if formulas cannot be read or there are none, a number is out of range, or
            the result cannot be written.
    """
    started = time.monotonic()
    if out is not None and (out.is_dir() or not out.name):
        raise Im2TexError(f"--out {out} is a folder; give FOLDER/NAME, the result's name in it.")
    if order < 1 or min_count < 1:
        raise Im2TexError(f"--order and --min_count are at least 1; got {order} and {min_count}.")
    given = list(dict.fromkeys([train, *tests]))
    labels = {one: _labels(one, root) for one in given}
    model = KneserNey(labels[train], order, min_count)
    sources = {_origin(one)[0] for one in tests or [train]}
    source = sources.pop() if len(sources) == 1 else None
    names = _names(given, source)
    figures = {names[one]: _figures(model, labels[one]) for one in given}
    print(f"{order}-gram model of {train}, interpolated modified Kneser-Ney")
    _print(figures)
    print(
        f"Vocabulary: {len(model.vocabulary.ordinary)} tokens seen at least {min_count} "
        f"time{'s' if min_count > 1 else ''} in {train}, and <unk>."
    )
    few = [str(n) for n, one in enumerate(model.discounts, 1) if not one.estimated]
    if few:
        print(
            f"Too few counts to estimate discounts of order {', '.join(few)}: "
            f"{' '.join(map(str, model.discounts[int(few[0]) - 1].values))} are taken."
        )
    if out is None:
        print("Figures with command, commit and machine: --out FOLDER/NAME writes them.")
        return
    result = RunResult(
        command=command_line(),
        config={"order": order, "min_count": min_count, "smoothing": "modified Kneser-Ney"},
        data={
            "source": source or ", ".join(tests or [train]),
            "train": train,
            "test": list(tests),
            "splits": {name: found["formulas"] for name, found in figures.items()},
            "filter": dict.fromkeys(figures, "none"),
            "tokens": {name: found["tokens"] for name, found in figures.items()},
            "types": {name: found["types"] for name, found in figures.items()},
            "unknown": {name: found["unknown"] for name, found in figures.items()},
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
    path = out if out.suffix == ".json" else out.with_name(f"{out.name}.json")
    print(f"Result: {result.save(path)}")


def _labels(given: str, root: Path) -> Labels:
    """The token lists of a prepared split or a file, those without any included."""
    if Path(given).exists():
        entries = read_formulas(Path(given), "references")
        fault = next((entry for entry in entries if entry.fault is not None), None)
        if fault is not None:
            raise Im2TexError(f"{fault.where}: {fault.fault}. Correct it, or leave it out.")
        return [entry.tokens or () for entry in entries]
    source, split = _origin(given)
    if not split:
        raise Im2TexError(
            f"there is no file {given}; a prepared split is written SOURCE:SPLIT, such as "
            "crohme:train."
        )
    return list(SOURCES.build(source).split(root, split).tokens())


def _origin(given: str) -> tuple[str, str]:
    """Source and split, or for a file nothing and its stem."""
    source, _, split = given.partition(":")
    return ("", Path(given).stem) if Path(given).exists() else (source, split)


def _names(given: Sequence[str], source: str | None) -> Mapping[str, str]:
    """Splits of the source by their own names; others, and what shares a name, as given."""
    origins = {one: _origin(one) for one in given}
    short = {one: split if of == source else one for one, (of, split) in origins.items()}
    often = Counter(short.values())
    return {one: name if often[name] == 1 else one for one, name in short.items()}


def _figures(model: KneserNey, labels: Labels) -> dict[str, float]:
    tokens = [token for label in labels for token in label]
    return {
        "perplexity": model.perplexity(labels),
        "formulas": len(labels),
        "tokens": len(tokens) + len(labels),
        "types": len(set(tokens)),
        "unknown": sum(token not in model.vocabulary for token in tokens),
    }


def _print(figures: Mapping[str, Mapping[str, float]]) -> None:
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
    # Into a pipe never cut at 80 columns, as the tables of other commands.
    Console(width=None if sys.stdout.isatty() else 1_000).print(table)
