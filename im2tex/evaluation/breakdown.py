"""Where a test went right and wrong: by length, by collection, and which symbols were confused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from im2tex.evaluation.results import SampleResult

FIGURES = ("expression_rate", "image_match", "token_exact")
"""Verdicts whose share each group has."""

_EDGES = (5, 10, 20, 40, 80)  # longest reference of a group, in tokens
_Difference = tuple[str | None, str | None]
_BRACES = ("{", "}")  # they stand for no symbol, and follow from other errors
_LISTED = 30


def breakdown(samples: Sequence[SampleResult]) -> dict[str, list[dict[str, Any]]]:
    """Groups of samples and their figures.

    Args:
        samples: with their verdicts.

    Returns:
        `length` (tokens of the reference) and, where the source knows some, `collection`: each a
        list of groups with `group`, `samples` and a share for each of `FIGURES` that there is.
        `confused`, `missing` and `added`: see `differences`.
    """
    result = {"length": _groups(samples, _length_group)}
    if any(sample.collection for sample in samples):
        result["collection"] = _groups(samples, lambda sample: (0, sample.collection or "unknown"))
    return result | differences(samples)


def differences(samples: Iterable[SampleResult]) -> dict[str, list[dict[str, Any]]]:
    """The most frequent differences between references and predictions, symbol by symbol.

    Tokens are aligned with the fewest edits; where several alignments have as few, the choice is
    rapidfuzz's. Braces are left out. Samples without a prediction or a label take no part.

    Returns:
        `confused` (one token for another), `missing` and `added`, the most frequent first. Entries
        have `gold` and `prediction` (None in what was added and what is missing), `count`,
        `samples` that it is in, and `of`: how often the gold token is in the references.
    """
    count: Counter[_Difference] = Counter()
    inside: Counter[_Difference] = Counter()
    occurrences: Counter[str] = Counter()
    for sample in samples:
        if sample.scored_prediction is None:
            continue
        occurrences.update(sample.gold)
        found = Counter(_differences(sample.gold, sample.scored_prediction))
        count.update(found)
        inside.update(found.keys())
    lists: dict[str, list[dict[str, Any]]] = {"confused": [], "missing": [], "added": []}
    for pair, number in sorted(count.items(), key=lambda item: (-item[1], str(item[0]))):
        gold, prediction = pair
        kind = "added" if gold is None else "missing" if prediction is None else "confused"
        if len(lists[kind]) < _LISTED:
            lists[kind].append(
                {
                    "gold": gold,
                    "prediction": prediction,
                    "count": number,
                    "samples": inside[pair],
                    "of": None if gold is None else occurrences[gold],
                }
            )
    return lists


def share(samples: Iterable[SampleResult], name: str) -> float | None:
    """Mean of a verdict over the samples that have it; None where none has."""
    found = [float(s.verdicts[name]) for s in samples if name in s.verdicts]
    return sum(found) / len(found) if found else None


def _groups(
    samples: Sequence[SampleResult], group_of: Callable[[SampleResult], tuple[int, str]]
) -> list[dict[str, Any]]:
    groups: dict[tuple[int, str], list[SampleResult]] = {}
    for sample in samples:
        groups.setdefault(group_of(sample), []).append(sample)
    entries = []
    for group, members in sorted(groups.items()):
        entry: dict[str, Any] = {"group": group[1], "samples": len(members)}
        shares = {name: share(members, name) for name in FIGURES}
        entries.append(entry | {name: value for name, value in shares.items() if value is not None})
    return entries


def _length_group(sample: SampleResult) -> tuple[int, str]:
    if not sample.length:
        return 0, "no label"
    number = sum(sample.length > edge for edge in _EDGES)
    first = _EDGES[number - 1] + 1 if number else 1
    return number + 1, f"{first}-{_EDGES[number]}" if number < len(_EDGES) else f"{first} or more"


def _differences(gold: Sequence[str], prediction: Sequence[str]) -> Iterator[_Difference]:
    for edit in Levenshtein.editops(gold, prediction):
        pair = (
            None if edit.tag == "insert" else gold[edit.src_pos],
            None if edit.tag == "delete" else prediction[edit.dest_pos],
        )
        if pair[0] not in _BRACES and pair[1] not in _BRACES:
            yield pair
