"""Pairs predictions with their references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from im2tex.commands.formula_files import FormulaRecord
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import SampleResult
from im2tex.utils.untrusted_text import quote
from im2tex.utils.wording import counted

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".inkml")


@dataclass(frozen=True)
class PairedSamples:
    """References with their predictions.

    Attributes:
        samples: one per reference, in the same order, not scored yet.
        missing: keys of the references without a prediction, which count as wrong.
        unknown: keys of the predictions without a reference, which are skipped.
        faults: why a formula cannot be used, by the key of its sample.
    """

    samples: list[SampleResult]
    missing: list[str]
    unknown: list[str]
    faults: dict[str, str]


def pair_predictions(
    references: Sequence[FormulaRecord], predictions: Sequence[FormulaRecord]
) -> PairedSamples:
    """Pairs by key if both sides have keys, else line by line.

    If no key occurs on both sides, file names are compared without folder and suffix: `test/7.png`
    matches `7`. An empty prediction is a missing one.

    Raises:
        Im2TexError: if no key is on both sides, or lines are to be paired and their numbers differ.
    """
    if not references:
        raise Im2TexError("there are no references to score against.")
    keys = [record.key or str(number) for number, record in enumerate(references, 1)]
    unknown: list[str] = []
    if references[0].key is None or not predictions or predictions[0].key is None:
        if len(references) != len(predictions):
            raise Im2TexError(
                f"{counted(len(predictions), 'prediction')} against "
                f"{counted(len(references), 'reference')}, and not both have keys to pair them by. "
                "Give both a key, or a line each."
            )
        by_key = dict(zip(keys, predictions, strict=True))
    else:
        by_key, unknown = _pair_by_key(keys, predictions)
    pairs = [(key, record, by_key.get(key)) for key, record in zip(keys, references, strict=True)]
    samples = [_sample(*pair) for pair in pairs]
    faults = {
        key: f"{record.where}: {record.fault}"
        for key, *both in pairs
        for record in both
        if record is not None and record.fault is not None
    }
    missing = [
        sample.key for sample in samples if sample.prediction is None and sample.key not in faults
    ]
    return PairedSamples(samples, missing, unknown, faults)


def _pair_by_key(
    keys: Sequence[str], predictions: Sequence[FormulaRecord]
) -> tuple[dict[str, FormulaRecord], list[str]]:
    """Predictions by the references' keys, and the keys of predictions without a reference."""
    by_key = {str(record.key): record for record in predictions}
    if by_key.keys().isdisjoint(keys):
        by_key = _match_file_names(keys, by_key)
    if by_key.keys().isdisjoint(keys):
        raise Im2TexError(
            f"no prediction has the key of a reference: predictions have "
            f"{quote(next(iter(by_key)))}, references {quote(keys[0])}. Give both the same keys."
        )
    known = set(keys)
    return (
        {key: record for key, record in by_key.items() if key in known},
        [key for key in by_key if key not in known],
    )


def _match_file_names(
    keys: Sequence[str], by_key: Mapping[str, FormulaRecord]
) -> dict[str, FormulaRecord]:
    """Predictions under the keys that name the same files; unchanged if that is ambiguous."""
    stems = {_stem(key): key for key in keys}
    renamed = {stems.get(_stem(key), key): record for key, record in by_key.items()}
    ambiguous = len(stems) < len(keys) or len(renamed) < len(by_key)
    return dict(by_key) if ambiguous else renamed


def _stem(key: str) -> str:
    path = PurePosixPath(key.replace("\\", "/"))
    return path.stem if path.suffix.lower() in _SUFFIXES else path.name


def _sample(key: str, reference: FormulaRecord, prediction: FormulaRecord | None) -> SampleResult:
    found = prediction or FormulaRecord("", key, tokens=None, latex=None, extra={})
    is_missing = found.tokens is None
    return SampleResult(
        key=key,
        gold=reference.tokens or [],
        prediction=found.tokens,
        metrics={"finished": found.extra["finished"]} if "finished" in found.extra else {},
        score=found.extra.get("score"),
        latex=reference.latex,
        collection=reference.extra.get("collection"),
        failed_at="read" if is_missing else None,
        reason=(found.fault or "no prediction") if is_missing else reference.fault,
    )
