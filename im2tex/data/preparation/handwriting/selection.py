"""Which formulas are written: as they are in a list, or sampled to be like CROHME's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from im2tex.data.labels import label_tokens
from im2tex.data.preparation.formula_sampling import Profile, builtin_profile, sample_formulas
from im2tex.data.preparation.printed.formula_lists import read_list
from im2tex.data.preparation.printed.formulas import forms
from im2tex.data.store import Split
from im2tex.latex.tokens import LatexError

_SALT = "im2tex handwriting split 1"
_POOL = 3  # formulas to cut from, for each one wanted


class FormulaSelection(NamedTuple):
    """Formulas to be written.

    Attributes:
        formulas: tokens of each; the same may come again.
        lines: what there is to know about them.
    """

    formulas: list[tuple[str, ...]]
    lines: list[str]


def crohme_like(pool: Path, root: Path, count: int, seed: int, max_tokens: int) -> FormulaSelection:
    """Formulas with the statistics of CROHME's training labels, none of its held-out ones.

    Args:
        pool: list of real formulas to cut from.
        root: the data root; the profile is that of `crohme` there, or a built-in one.
        count: how many.
        seed: of the sampling.
        max_tokens: longest.
    """
    train = root / "crohme" / "train.parquet"
    if train.exists():
        profile = Profile.of([tuple(t) for t in Split(train).tokens() if len(t) <= max_tokens])
        said = f"like the labels of {train}"
    else:
        profile = builtin_profile()
        said = "like those of the built-in grammar, for crohme is not prepared under this root"
    held_out = held_out_labels(root)
    markup = [one.latex for one in read_list(pool)]
    step = max(1, len(markup) // (_POOL * count))
    found = sample_formulas(markup[::step], profile, count, seed=seed, exclude=held_out)
    return FormulaSelection(
        found.formulas,
        [
            f"{count:,} formulas {said}, {found.cut:,} of them cut from {pool.name}",
            f"{len(set(held_out)):,} labels of CROHME's validation and tests kept out",
        ],
    )


def listed(
    source: Path, root: Path, labels: str, count: int, max_tokens: int, turn: int = 0
) -> FormulaSelection:
    """The formulas of a list, each once, in the order of a hash.

    Args:
        source: the list.
        root: the data root; no held-out label of `crohme` there is taken.
        labels: `norm` for the paper's normal form, `crohme` for CROHME's.
        count: how many at most.
        max_tokens: longest.
        turn: 0 takes the first `count`, 1 the next, and so on, from the beginning again after the
            last.
    """
    markup = (one.latex for one in read_list(source))
    found = map(_label, markup) if labels == "crohme" else _norm(markup)
    held_out = set(held_out_labels(root))
    total = unread = long = kept_out = 0
    seen: set[tuple[str, ...]] = set()
    for tokens in found:
        total += 1
        if tokens is None:
            unread += 1
        elif len(tokens) > max_tokens:
            long += 1
        elif held_out and (tokens if labels == "crohme" else _label(" ".join(tokens))) in held_out:
            kept_out += 1
        else:
            seen.add(tokens)
    # By the hash's other end: its beginning says which are held out, and those would come first.
    chosen = sorted(seen, key=lambda tokens: rank(tokens)[::-1])
    if turn and chosen:
        first = turn * count % len(chosen)
        chosen = chosen[first:] + chosen[:first]
    chosen = chosen[:count]
    return FormulaSelection(
        chosen,
        [
            f"{len(chosen):,} of {total:,} formulas of {source.name}; {unread:,} cannot be read, "
            f"{long:,} are longer than {max_tokens} tokens, {kept_out:,} are labels of CROHME's "
            f"validation or tests, {total - unread - long - kept_out - len(seen):,} come again"
        ],
    )


def held_out_labels(root: Path) -> list[tuple[str, ...]]:
    """The labels of CROHME's validation and tests, where it is prepared."""
    stores = sorted((root / "crohme").glob("*.parquet"))
    return [
        tuple(tokens)
        for store in stores
        if store.stem == "validation" or store.stem.startswith("test")
        for tokens in Split(store).tokens()
    ]


def rank(tokens: Sequence[str]) -> str:
    """A hash of a formula, by which it is sorted and put into a split."""
    return sha256(f"{_SALT}\n{' '.join(tokens)}".encode()).hexdigest()


def held(tokens: Sequence[str], share: float) -> bool:
    """Whether a formula belongs to the validation: the same one always does."""
    return int(rank(tokens)[:16], 16) / 2**64 < share


def _norm(markup: Iterable[str]) -> Iterator[tuple[str, ...] | None]:
    for both in forms(markup):
        yield None if both is None else tuple(both[0].split())


def _label(markup: str) -> tuple[str, ...] | None:
    """A formula as CROHME's labels have it; None if it cannot be read."""
    try:
        return label_tokens(markup)
    except LatexError:
        return None
