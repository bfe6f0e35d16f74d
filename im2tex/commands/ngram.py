"""`im2tex ngram`: perplexity of formulas under an n-gram model, the "5-gram LM" of the paper."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.commands.formula_files import FormulaRecord, read_split_or_file
from im2tex.commands.score import result_path
from im2tex.errors import Im2TexError
from im2tex.utils.checks import check_settings
from im2tex.utils.wording import counted

if TYPE_CHECKING:
    from im2tex.evaluation.reports.table import SplitScores
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
    from im2tex.evaluation.reports.table import print_table
    from im2tex.evaluation.results import RunResult
    from im2tex.language import KneserNey

    started = time.monotonic()
    path = None if out is None else result_path(out)
    check_settings("--", 1, order=order, min_count=min_count)
    inputs = list(dict.fromkeys([train, *test]))
    read = {name: read_split_or_file(name, "references", root) for name in inputs}
    formulas = {name: _token_lists(records) for name, (_, records, _) in read.items()}
    model = KneserNey(formulas[train], order, min_count)
    origins = {
        name: (metadata.get("source", ""), split) for name, (split, _, metadata) in read.items()
    }
    sources = {origins[name][0] for name in test or [train]}
    source = sources.pop() if len(sources) == 1 else None
    names = _column_names(origins, source)
    figures = {names[name]: _figures(model, formulas[name]) for name in inputs}
    print(f"{order}-gram model of {train}, interpolated modified Kneser-Ney")
    print_table([_column(name, values) for name, values in figures.items()])
    print(
        f"Vocabulary: {counted(len(model.vocabulary.ordinary), 'token')} seen at least "
        f"{counted(min_count, 'time')} in {train}, and <unk>."
    )
    few = [str(n) for n, discount in enumerate(model.discounts, 1) if not discount.estimated]
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
            "splits": {name: values["formulas"] for name, values in figures.items()},
            "filter": dict.fromkeys(figures, "none"),
            **{
                key: {name: values[key] for name, values in figures.items()}
                for key in ("tokens", "types", "unknown")
            },
            "vocabulary": len(model.vocabulary.ordinary),
            "discounts": [
                {"values": discount.values, "estimated": discount.estimated}
                for discount in model.discounts
            ],
        },
        seed=None,
        metrics={name: {"perplexity": values["perplexity"]} for name, values in figures.items()},
        wall_time_s=round(time.monotonic() - started, 1),
        signatures={"perplexity": _SIGNATURE},
    )
    print(f"Result: {result.save(path)}")


def _token_lists(records: Sequence[FormulaRecord]) -> Formulas:
    """The tokens of all formulas; empty ones are included.

    Raises:
        Im2TexError: if a formula cannot be used.
    """
    fault = next((record for record in records if record.fault is not None), None)
    if fault is not None:
        raise Im2TexError(f"{fault.where}: {fault.fault}. Correct or remove it.")
    return [record.tokens or () for record in records]


def _column_names(origins: Mapping[str, tuple[str, str]], source: str | None) -> Mapping[str, str]:
    """The split for formulas of `source`, the full name for others and where splits collide."""
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


def _column(name: str, figures: Mapping[str, float]) -> SplitScores:
    """The column of a split or file in the printed table."""
    from im2tex.evaluation.reports.table import SplitScores

    counts = {
        "tokens, ends included": f"{figures['tokens']:,}",
        "different tokens": f"{figures['types']:,}",
        "tokens not in the vocabulary": f"{figures['unknown']:,}",
    }
    metrics = {"perplexity": figures["perplexity"]}
    return SplitScores(name, metrics, int(figures["formulas"]), conditions=counts)
