"""Matches the names in a labels file with the files of a folder.

Names are compared by a sequence of rules, each less strict, and the first rule with a match counts:
exactly; in Unicode's composed form (NFC; macOS decomposes names); ignoring case; ignoring the
ending; and ignoring the folders. A file matched by one rule is not matched again by a later rule.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from im2tex.data.preparation.labels_file import Label
from im2tex.errors import Im2TexError


class MatchedLabels(NamedTuple):
    """Labels matched with files.

    Attributes:
        labels: label of each file, by the file's key; "" if its labels differ.
        problems: name and reason for each name without a unique file and each file with several
            labels.
    """

    labels: dict[str, str]
    problems: list[tuple[str, str]]


def match_labels(
    labels: Sequence[Label], keys: Iterable[str], folder: str, endings: set[str]
) -> MatchedLabels:
    """Finds the files that labels belong to.

    Args:
        labels: the lines of the labels file.
        keys: paths of the files.
        folder: folder of the labels file, relative as the keys are; "" at the top.
        endings: endings of images and inks, in lower case with their dot.

    Raises:
        Im2TexError: if two lines give one name different labels.
    """
    _check_duplicates(labels)
    matched = MatchedLabels({}, [])
    keys = sorted(keys)
    remaining = list(labels)
    for normalize in _normalizations(endings):
        index: defaultdict[str, set[str]] = defaultdict(set)
        for key in keys:
            if key not in matched.labels:
                index[normalize(key)].add(key)
        remaining = _match_once(remaining, normalize, index, folder, matched)
    reason = "has a label, but is not in the folder"
    matched.problems.extend((label.name, reason) for label in remaining)
    return matched


def _match_once(
    labels: Sequence[Label],
    normalize: Callable[[str], str],
    index: Mapping[str, set[str]],
    folder: str,
    matched: MatchedLabels,
) -> list[Label]:
    """Adds the matches under one normalisation; returns the labels without a match."""
    remaining: list[Label] = []
    found: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels:
        name = _path(label.name)
        beside = index.get(normalize(f"{folder}/{name}")) if folder else None
        files = beside or index.get(normalize(name))
        if not files:
            remaining.append(label)
        elif len(files) > 1:
            several = ", ".join(sorted(files)[:3])
            matched.problems.append((label.name, f"its name matches several files: {several}"))
        else:
            found[next(iter(files))].append(label)
    for key, own in found.items():
        label = own[0]
        matched.labels[key] = label.latex
        if any(other.latex != label.latex for other in own):
            names = ", ".join(f"'{match.name}' ({match.where})" for match in own[:3])
            matched.problems.append((key, f"has several labels: {names}"))
            matched.labels[key] = ""
        elif not label.latex:
            matched.problems.append((key, f"its label is empty ({label.where})"))
    return remaining


def _normalizations(endings: set[str]) -> tuple[Callable[[str], str], ...]:
    def composed(name: str) -> str:
        return unicodedata.normalize("NFC", name)

    def caseless(name: str) -> str:
        return composed(composed(name).casefold())

    def stem(name: str) -> str:
        path = caseless(name)
        ending = PurePosixPath(path).suffix
        return path.removesuffix(ending) if ending in endings else path

    def last(name: str) -> str:
        return caseless(name).rpartition("/")[2]

    def last_stem(name: str) -> str:
        return stem(name).rpartition("/")[2]

    return str, composed, caseless, stem, last, last_stem


def _path(name: str) -> str:
    path = name.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path


def _check_duplicates(labels: Sequence[Label]) -> None:
    by_name: dict[str, Label] = {}
    for label in labels:
        first = by_name.setdefault(_path(label.name), label)
        if first.latex != label.latex:
            raise Im2TexError(
                f"{label.where}: {_path(label.name)} has a different label in {first.where}. "
                "Remove one of them."
            )
