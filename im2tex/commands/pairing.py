"""Predictions brought together with their references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from im2tex.commands.formula_files import Entry
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import SampleResult
from im2tex.utils.untrusted_text import quote

_FILES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".inkml")


@dataclass(frozen=True)
class Paired:
    """References with their predictions.

    Attributes:
        samples: one a reference, in their order, without verdicts but for `finished`.
        missing: keys of the references without a prediction, which count as wrong.
        unknown: keys of the predictions without a reference, which count for nothing.
        faults: what is wrong with formulas that cannot be used, by the key of their sample.
    """

    samples: list[SampleResult]
    missing: list[str]
    unknown: list[str]
    faults: dict[str, str]


def pair(references: Sequence[Entry], predictions: Sequence[Entry]) -> Paired:
    """Pairs by key where both sides have keys, else line by line.

    Where no key of the one side is among the other's, names of files are compared without folder
    and ending: `test/7.png` is `7`. An empty prediction is a missing one.

    Raises:
        Im2TexError: if no key is on both sides, or lines are to be paired and their numbers differ.
    """
    if not references:
        raise Im2TexError("there are no references to score against.")
    keys = [entry.key or str(number) for number, entry in enumerate(references, 1)]
    if references[0].key is None or not predictions or predictions[0].key is None:
        if len(references) != len(predictions):
            raise Im2TexError(
                f"{len(predictions):,} predictions against {len(references):,} references, and "
                f"not both have keys to pair them by ({_first(predictions)}; "
                f"{_first(references)}). Give both a key, or a line each."
            )
        found = dict(zip(keys, predictions, strict=True))
        unknown: list[str] = []
    else:
        found, unknown = _by_key(keys, predictions)
    samples = [
        _sample(key, reference, found.get(key))
        for key, reference in zip(keys, references, strict=True)
    ]
    faults = {
        key: f"{entry.where}: {entry.fault}"
        for key, reference in zip(keys, references, strict=True)
        for entry in (reference, found.get(key))
        if entry is not None and entry.fault is not None
    }
    missing = [one.key for one in samples if one.prediction is None and one.key not in faults]
    return Paired(samples, missing, unknown, faults)


def _by_key(
    keys: Sequence[str], predictions: Sequence[Entry]
) -> tuple[dict[str, Entry], list[str]]:
    """Predictions by the references' keys, and the keys of those that belong to none."""
    given = {str(entry.key): entry for entry in predictions}
    if given.keys().isdisjoint(keys):
        given = _renamed(keys, given)
    if given.keys().isdisjoint(keys):
        raise Im2TexError(
            f"no prediction has the key of a reference: predictions have "
            f"{quote(next(iter(given)))}, references {quote(keys[0])}. Give both the same keys."
        )
    known = set(keys)
    return (
        {key: entry for key, entry in given.items() if key in known},
        [key for key in given if key not in known],
    )


def _renamed(keys: Sequence[str], given: Mapping[str, Entry]) -> dict[str, Entry]:
    """Predictions under the keys that name the same files; as given where that is ambiguous."""
    stems = {_stem(key): key for key in keys}
    renamed = {stems.get(_stem(key), key): entry for key, entry in given.items()}
    ambiguous = len(stems) < len(keys) or len(renamed) < len(given)
    return dict(given) if ambiguous else renamed


def _stem(key: str) -> str:
    path = PurePosixPath(key.replace("\\", "/"))
    return path.stem if path.suffix.lower() in _FILES else path.name


def _sample(key: str, reference: Entry, prediction: Entry | None) -> SampleResult:
    tokens = None if prediction is None else prediction.tokens
    fault = None if prediction is None else prediction.fault
    known = {} if prediction is None else prediction.extra
    finished = {"finished": known["finished"]} if "finished" in known else {}
    return SampleResult(
        key=key,
        gold=reference.tokens or [],
        prediction=tokens,
        verdicts=finished,
        score=known.get("score"),
        latex=reference.latex,
        collection=reference.extra.get("collection"),
        failed_at="read" if tokens is None else None,
        reason=(fault or "no prediction") if tokens is None else reference.fault,
    )


def _first(entries: Sequence[Entry]) -> str:
    if not entries:
        return "no predictions"
    key = entries[0].key
    return f"{entries[0].where}: {'no key' if key is None else f'key {quote(key)}'}"
