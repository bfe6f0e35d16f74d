"""Which split a CROHME file belongs to, told by the folders it lies in.

The competitions of 2011 to 2023 named and nested their folders differently, inner archives were
packed with and without a folder of their own, and people rearrange what they unpack. The innermost
folder that says "train", "valid" or "test" decides; the year is the one nearest to it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

COLLECTIONS = ("HAMEX", "KAIST", "MathBrush", "MfrDB", "expressmatch", "extension")
"""The collections that make up the training set."""

OTHER_TASKS = "isolated symbols, matrices or artificial data"

_YEAR = re.compile(r"(?<!\d)(20[12]\d)(?!\d)|(?<=crohme)(\d\d)(?!\d)")
_TEST = re.compile(r"test")
_TRAIN = re.compile(r"train")
_VALID = re.compile(r"(?<![a-z])val(?:id|idation)?(?![a-z])|(?<=_)val(?![a-z])")
_SKIPPED = re.compile(r"symbol|symb\d|matri(?:x|ces)|artificial|__macosx")
# Folders whose name alone is known to mean a year.
_NAMED = {
    "testinkml": "test_2013",
    "testinkmlgt": "test_2013",
    "testem2014": "test_2014",
    "testem2014gt": "test_2014",
}
# Folders of the 2019 package, which says its year only on the outside.
_OF_2019 = ("task1_and_task2", "task1_onlinerec")
_LOWER = {name.lower(): name for name in COLLECTIONS}


def split_of(path: PurePosixPath) -> str | None:
    """The split of a file by its path.

    Args:
        path: the path with every folder known, archives among them (`Train.zip/Train/a.inkml`).

    Returns:
        `train`, `test_YEAR`, `validation_YEAR` (a validation set that is no older test set, as
        2023 has it), `OTHER_TASKS`, or None where nothing tells.
    """
    folders = [part.lower() for part in path.parts[:-1]]
    if any(_SKIPPED.search(folder) for folder in folders):
        return OTHER_TASKS
    for i in reversed(range(len(folders))):
        stem = folders[i].removesuffix(".zip")
        if stem in _NAMED:
            return _NAMED[stem]
        if _TEST.search(stem):
            year = _year(folders, i)
            return f"test_{year}" if year else None
        if _TRAIN.search(stem) or stem in _LOWER:
            return "train"
        if _VALID.search(stem):
            year = _year(folders, i)
            return f"validation_{year}" if year else None
    return None


def collection_of(path: PurePosixPath, ui: str, copyright_: str) -> str:
    """The collection a training ink comes from.

    Args:
        path: its path; the folder of the collection is in most layouts.
        ui: its identifier. CROHME 2016 and later keep all of train in one folder, and only the
            inks themselves tell then.
        copyright_: who holds the rights, as the file says.

    Returns:
        One of `COLLECTIONS`, or the innermost folder's name for an ink of none of them.
    """
    for part in reversed(path.parts[:-1]):
        if part.lower() in _LOWER:
            return _LOWER[part.lower()]
    if copyright_ in ("KAIST", "MfrDB"):
        return copyright_
    for pattern, name in _UI:
        if re.search(pattern, ui, re.IGNORECASE):
            return name
    return path.parent.name


_UI = (
    (r"^\d+-\d+-\d+(\.ink)?$", "MathBrush"),
    (r"_IVC_depart_", "HAMEX"),
    (r"_IVC_CROHME_", "extension"),
    (r"^MfrDB", "MfrDB"),
    (r"_K(?:AIST|ME\d)_", "KAIST"),
    (r"^\d+_[a-z]+\d*$", "expressmatch"),
)


def _year(folders: list[str], at: int) -> str | None:
    """The year nearest to a folder: in its name, then inside it, then around it."""
    inside = folders[at + 1 :]
    around = reversed(folders[:at])
    for folder in (folders[at], *inside, *around):
        if match := _YEAR.search(folder):
            return match[1] or f"20{match[2]}"
        if folder.removesuffix(".zip") in _OF_2019:
            return "2019"
    return None
