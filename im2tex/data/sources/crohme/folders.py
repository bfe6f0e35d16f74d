"""Determines the split of a CROHME file from its folders.

The competitions of 2011 to 2023 named and nested their folders differently, inner archives have or
lack a top folder, and users rearrange unpacked files. The innermost folder with "train", "valid" or
"test" in its name decides; the year is the one nearest to it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

COLLECTIONS = ("HAMEX", "KAIST", "MathBrush", "MfrDB", "expressmatch", "extension")
"""The collections of the training set."""

OTHER_TASKS = "isolated symbols, matrices or artificial data"

_YEAR = re.compile(r"(?<!\d)(20[12]\d)(?!\d)|(?<=crohme)(\d\d)(?!\d)")
_TEST = re.compile(r"test")
_TRAIN = re.compile(r"train")
_VALID = re.compile(r"(?<![a-z])val(?:id|idation)?(?![a-z])|(?<=_)val(?![a-z])")
_SKIPPED = re.compile(r"symbol|symb\d|matri(?:x|ces)|artificial|__macosx")
# Folders whose name has no year but belongs to one.
_NAMED = {
    "testinkml": "test_2013",
    "testinkmlgt": "test_2013",
    "testem2014": "test_2014",
    "testem2014gt": "test_2014",
}
# Folders of the 2019 package, whose year is in the name of the package only.
_FOLDERS_2019 = ("task1_and_task2", "task1_onlinerec")
_LOWER = {name.lower(): name for name in COLLECTIONS}


def split_of(path: PurePosixPath) -> str | None:
    """Returns the split of a file by its path.

    Args:
        path: path with all folders and archives, such as `Train.zip/Train/a.inkml`.

    Returns:
        `train`, `test_YEAR`, `validation_YEAR` (a validation set that is not an older test, as in
        2023), `OTHER_TASKS`, or None if the split is unknown.
    """
    folders = [part.lower() for part in path.parts[:-1]]
    if any(_SKIPPED.search(folder) for folder in folders):
        return OTHER_TASKS
    for i in reversed(range(len(folders))):
        stem = folders[i].removesuffix(".zip")
        if stem in _NAMED:
            return _NAMED[stem]
        if _TEST.search(stem):
            year = _find_year(folders, i)
            return f"test_{year}" if year else None
        if _TRAIN.search(stem) or stem in _LOWER:
            return "train"
        if _VALID.search(stem):
            year = _find_year(folders, i)
            return f"validation_{year}" if year else None
    return None


def collection_of(path: PurePosixPath, ui: str, copyright_: str) -> str:
    """Returns the collection of a training sample.

    Args:
        path: path of the file, which includes the collection in most layouts.
        ui: unique identifier, for CROHME 2016 and later, which have one training folder.
        copyright_: copyright holder, as the file names it.

    Returns:
        One of `COLLECTIONS`, or the name of the innermost folder for another sample.
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


def _find_year(folders: list[str], at: int) -> str | None:
    """Returns the year nearest to a folder: in its name, then below it, then above it."""
    for folder in (*folders[at:], *reversed(folders[:at])):
        if match := _YEAR.search(folder):
            return match[1] or f"20{match[2]}"
        if folder.removesuffix(".zip") in _FOLDERS_2019:
            return "2019"
    return None
