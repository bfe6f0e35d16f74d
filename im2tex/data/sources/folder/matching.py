"""Which file a name in a labels file means: by its path, its Unicode form, its case, its ending.

A name is compared in ever looser ways, and the first way in which it means a file counts: as it
is; in composed form (NFC; macOS writes names decomposed); without regard to case; without its
ending; and all this for the last part of the path alone. A file that was found in one way is not
found again in a looser one.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from im2tex.data.sources.folder.labels import Label
from im2tex.errors import Im2TexError


class Matched(NamedTuple):
    """What the names in a labels file mean.

    Attributes:
        labels: by the key of the file.
        problems: names that mean no file or several, and files with several labels, with reasons.
    """

    labels: dict[str, str]
    problems: list[tuple[str, str]]


def match(labels: Sequence[Label], keys: Iterable[str], folder: str, endings: set[str]) -> Matched:
    """Finds the files that labels are for.

    Args:
        labels: as read.
        keys: paths of the files.
        folder: where the labels file lies, relative as the keys are; "" at the top.
        endings: of pictures and inks, with their dot, in lower case.

    Raises:
        Im2TexError: if two lines give one name different labels.
    """
    _check_twice(labels)
    matched = Matched({}, [])
    known = sorted(keys)
    left = list(labels)
    for form in _forms(endings):
        index: defaultdict[str, set[str]] = defaultdict(set)
        for key in known:
            if key not in matched.labels:
                index[form(key)].add(key)
        left = _pass(left, form, index, folder, matched)
    matched.problems.extend((one.name, "has a label, but is not in the folder") for one in left)
    return matched


def _pass(
    labels: Sequence[Label],
    form: Callable[[str], str],
    index: dict[str, set[str]],
    folder: str,
    matched: Matched,
) -> list[Label]:
    """Compares in one way; returns the labels whose names mean no file in it."""
    left: list[Label] = []
    found: defaultdict[str, list[Label]] = defaultdict(list)
    for label in labels:
        name = _path(label.name)
        here = index.get(form(f"{folder}/{name}")) if folder else None
        files = here or index.get(form(name))
        if not files:
            left.append(label)
        elif len(files) > 1:
            several = ", ".join(sorted(files)[:3])
            matched.problems.append((label.name, f"its name means several files: {several}"))
        else:
            found[next(iter(files))].append(label)
    for key, ours in found.items():
        if len({one.latex for one in ours}) > 1:
            names = ", ".join(f"'{one.name}' ({one.where})" for one in ours[:3])
            matched.problems.append((key, f"has several labels: {names}"))
            matched.labels[key] = ""
        else:
            matched.labels[key] = ours[0].latex
            if not ours[0].latex:
                matched.problems.append((key, f"its label is empty ({ours[0].where})"))
    return left


def _forms(endings: set[str]) -> tuple[Callable[[str], str], ...]:
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
    """A name with slashes, without what leads nowhere."""
    path = name.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path


def _check_twice(labels: Sequence[Label]) -> None:
    before: dict[str, Label] = {}
    for label in labels:
        other = before.setdefault(_path(label.name), label)
        if other.latex != label.latex:
            raise Im2TexError(
                f"{label.where}: {_path(label.name)} has a label already, another one: "
                f"{other.where}. Keep one of them."
            )
