"""Scores of a test by length of the formula and by collection, and the symbols it confused."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from im2tex.evaluation.metrics.names import MAIN_METRICS
from im2tex.evaluation.metrics.totals import ScoreTotals
from im2tex.evaluation.results import SampleResult

_EDGES = (5, 10, 20, 40, 80)  # longest reference of a group, in tokens
_Difference = tuple[str | None, str | None]
_BRACES = ("{", "}")  # no symbols, and wrong because of other errors
_MAX_LISTED = 30


def breakdown(samples: Sequence[SampleResult]) -> dict[str, list[dict[str, Any]]]:
    """Groups scored samples, and counts the differences of their tokens.

    Returns:
        `length` (tokens of the reference) and, where the source has some, `collection`: each a
        list of groups with `group`, `samples`, and the value of each of `MAIN_METRICS` that is
        defined. `confused`, `missing` and `added`: see `token_differences`.
    """
    result = {"length": _groups(samples, _length_group)}
    if any(sample.collection for sample in samples):
        result["collection"] = _groups(samples, lambda sample: (0, sample.collection or "unknown"))
    return result | token_differences(samples)


def token_differences(samples: Iterable[SampleResult]) -> dict[str, list[dict[str, Any]]]:
    """The most frequent differences between references and predictions, token by token.

    Tokens are aligned with the fewest edits; where several alignments have as few, the choice is
    rapidfuzz's. Braces, and samples without a prediction or a label, are skipped.

    Returns:
        `confused` (one token for another), `missing` and `added`, the most frequent first. Entries
        have `gold` and `prediction` (None in what was added and what is missing), `count`,
        `samples` (how many have it), and `of` (how often the gold token is in the references).
    """
    count: Counter[_Difference] = Counter()
    inside: Counter[_Difference] = Counter()
    occurrences: Counter[str] = Counter()
    for sample in samples:
        if sample.prediction is None or not sample.gold:
            continue
        occurrences.update(sample.gold)
        if sample.prediction != sample.gold:
            found = Counter(_differences(sample.gold, sample.prediction))
            count.update(found)
            inside.update(found.keys())
    lists: dict[str, list[dict[str, Any]]] = {"confused": [], "missing": [], "added": []}
    for pair, times in sorted(count.items(), key=lambda item: (-item[1], str(item[0]))):
        gold, prediction = pair
        kind = "added" if gold is None else "missing" if prediction is None else "confused"
        if len(lists[kind]) < _MAX_LISTED:
            lists[kind].append(
                {
                    "gold": gold,
                    "prediction": prediction,
                    "count": times,
                    "samples": inside[pair],
                    "of": None if gold is None else occurrences[gold],
                }
            )
    return lists


def _groups(
    samples: Sequence[SampleResult], group_of: Callable[[SampleResult], tuple[int, str]]
) -> list[dict[str, Any]]:
    groups: dict[tuple[int, str], list[SampleResult]] = {}
    for sample in samples:
        groups.setdefault(group_of(sample), []).append(sample)
    entries = []
    for group, members in sorted(groups.items()):
        totals = ScoreTotals()
        for sample in members:
            totals.add({n: sample.metrics[n] for n in MAIN_METRICS if n in sample.metrics})
        values = {name: totals.mean(name) for name in MAIN_METRICS}
        entries.append(
            {"group": group[1], "samples": len(members)}
            | {name: value for name, value in values.items() if not math.isnan(value)}
        )
    return entries


def _length_group(sample: SampleResult) -> tuple[int, str]:
    length = len(sample.gold)
    if not length:
        return 0, "no label"
    index = sum(length > edge for edge in _EDGES)
    first = _EDGES[index - 1] + 1 if index else 1
    return index + 1, f"{first}-{_EDGES[index]}" if index < len(_EDGES) else f"{first} or more"


def _differences(gold: Sequence[str], prediction: Sequence[str]) -> Iterator[_Difference]:
    for edit in Levenshtein.editops(gold, prediction):
        pair = (
            None if edit.tag == "insert" else gold[edit.src_pos],
            None if edit.tag == "delete" else prediction[edit.dest_pos],
        )
        if pair[0] not in _BRACES and pair[1] not in _BRACES:
            yield pair
