"""Selects the formulas of synthetic handwriting: from a list, or sampled to resemble CROHME's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from im2tex.data.labels import label_tokens
from im2tex.data.preparation.formula_sampling import Profile, builtin_profile, sample_formulas
from im2tex.data.preparation.hashing import hash_fraction
from im2tex.data.preparation.printed.formula_lists import read_list
from im2tex.data.preparation.printed.formulas import normalize_both
from im2tex.data.preparation.resumable import StepCache
from im2tex.data.shards import stored_splits
from im2tex.data.store import Split
from im2tex.latex.tokens import LatexError

_SALT = "im2tex handwriting split 1"
_POOL_FACTOR = 3  # formulas to cut from, for each one wanted


class FormulaSelection(NamedTuple):
    """Selected formulas.

    Attributes:
        formulas: tokens of each formula; a formula may occur several times.
        lines: lines of the report on the selection.
    """

    formulas: list[tuple[str, ...]]
    lines: list[str]


def crohme_like(pool: Path, root: Path, count: int, seed: int, max_tokens: int) -> FormulaSelection:
    """Samples formulas with the statistics of CROHME's training labels, without held-out labels.

    Args:
        pool: list of real formulas to cut from.
        root: the data root; the statistics are those of `crohme` there, or built-in ones.
        count: number of formulas.
        seed: seed of the sampling.
        max_tokens: length of the longest formula.
    """
    train = root / "crohme" / "train.parquet"
    if "train" in stored_splits(train.parent):
        profile = Profile.of([tuple(t) for t in Split(train).tokens() if len(t) <= max_tokens])
        model = f"the labels of {train}"
    else:
        profile = builtin_profile()
        model = "those of the built-in grammar, because crohme is not prepared under this root"
    held_out = held_out_labels(root)
    markup = [formula.latex for formula in read_list(pool)]
    step = max(1, len(markup) // (_POOL_FACTOR * count))
    sampled = sample_formulas(markup[::step], profile, count, seed=seed, exclude=held_out)
    return FormulaSelection(
        sampled.formulas,
        [
            f"{count:,} formulas like {model}, {sampled.cut:,} of them cut from {pool.name}",
            f"{len(set(held_out)):,} labels of CROHME's validation and tests excluded",
        ],
    )


def from_list(
    source: Path, root: Path, labels: str, count: int, max_tokens: int, epoch: int = 0
) -> FormulaSelection:
    """Returns the distinct formulas of a list, in the order of a hash.

    Args:
        source: the list.
        root: the data root; held-out labels of `crohme` there are excluded.
        labels: `norm` for the paper's normal form, `crohme` for CROHME's.
        count: maximum number of formulas.
        max_tokens: length of the longest formula.
        epoch: 0 takes the first `count` formulas, 1 the next, and so on, cyclically.
    """
    markup = (formula.latex for formula in read_list(source))
    labelled = map(_crohme_label, markup) if labels == "crohme" else _norm_labels(markup)
    held_out = set(held_out_labels(root))
    counts: Counter[str] = Counter()
    distinct: set[tuple[str, ...]] = set()

    def is_excluded(tokens: tuple[str, ...]) -> bool:
        label = tokens if labels == "crohme" else _crohme_label(" ".join(tokens))
        return label in held_out

    for tokens in labelled:
        counts["total"] += 1
        if tokens is None:
            counts["unreadable"] += 1
        elif len(tokens) > max_tokens:
            counts["long"] += 1
        elif held_out and is_excluded(tokens):
            counts["held out"] += 1
        elif tokens in distinct:
            counts["duplicate"] += 1
        else:
            distinct.add(tokens)
    # The beginning of the digest decides what is held out, so the order is that of its reverse.
    ordered = sorted(distinct, key=lambda tokens: formula_digest(tokens)[::-1])
    first = epoch * count % max(1, len(ordered))
    selected = (ordered[first:] + ordered[:first])[:count]
    line = (
        f"{len(selected):,} of {counts['total']:,} formulas of {source.name}; skipped: "
        f"{counts['unreadable']:,} cannot be read, {counts['long']:,} are longer than {max_tokens} "
        f"tokens, {counts['held out']:,} are labels of CROHME's validation or tests, "
        f"{counts['duplicate']:,} are duplicates"
    )
    return FormulaSelection(selected, [line])


def cached_selection(cache: StepCache, select: Callable[[], FormulaSelection]) -> FormulaSelection:
    """Returns a selection from the cache of an interrupted preparation, or computes it.

    Args:
        cache: cache of the preparation.
        select: computes the selection.
    """
    schema = pa.schema([("tokens", pa.list_(pa.string()))])

    def compute() -> pa.Table:
        selection = select()
        rows = [{"tokens": list(tokens)} for tokens in selection.formulas]
        lines = {b"lines": "\n".join(selection.lines).encode()}
        return pa.Table.from_pylist(rows, schema=schema.with_metadata(lines))

    table = cache.step("formulas", compute)
    lines = table.schema.metadata[b"lines"].decode().split("\n")
    return FormulaSelection([tuple(row) for row in table.column("tokens").to_pylist()], lines)


def held_out_labels(root: Path) -> list[tuple[str, ...]]:
    """Returns the labels of CROHME's validation and tests, if CROHME is prepared under `root`."""
    folder = root / "crohme"
    return [
        tuple(tokens)
        for name in stored_splits(folder)
        if name == "validation" or name.startswith("test")
        for tokens in Split(folder / f"{name}.parquet").tokens()
    ]


def formula_digest(tokens: Sequence[str]) -> str:
    """Returns a hash of a formula, by which formulas are ordered and named."""
    return sha256(_salted_text(tokens).encode()).hexdigest()


def is_held_out(tokens: Sequence[str], fraction: float) -> bool:
    """Returns whether a formula belongs to the validation split, by its hash."""
    return hash_fraction(_salted_text(tokens)) < fraction


def _salted_text(tokens: Sequence[str]) -> str:
    return f"{_SALT}\n{' '.join(tokens)}"


def _norm_labels(markup: Iterable[str]) -> Iterator[tuple[str, ...] | None]:
    for both in normalize_both(markup):
        yield None if both is None else tuple(both[0].split())


def _crohme_label(markup: str) -> tuple[str, ...] | None:
    try:
        return label_tokens(markup)
    except LatexError:
        return None
