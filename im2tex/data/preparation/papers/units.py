"""Which files make one paper, told from where they lie and which of them begin a document.

- A package of arXiv's is a paper.
- A folder with files that begin a document is a paper, with all below it.
- A folder with more of those than a paper has (`MOST_MAINS`) holds papers: each of them is one.
- So does the folder or archive that was given, if files that begin a document are all it holds.
- Where nothing begins a document, each folder is a paper.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

MOST_MAINS = 4
"""Documents of one paper: with its supplement, and what was left lying about."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Files that are read together.

    Attributes:
        name: of the paper, or of the folder of papers.
        separate: whether each file that begins a document is a paper of its own, named by its path.
    """

    name: str
    separate: bool = False


def units(files: Mapping[str, bool]) -> dict[str, Unit]:
    """The unit of each file.

    Args:
        files: paths below the origin, and whether the file begins a document.
    """
    mains: Counter[str] = Counter()
    for path, begins in files.items():
        mains[posixpath.dirname(path)] += begins
    homes = {path: _home(path, mains) for path in files}
    others = Counter(homes[path] for path, begins in files.items() if not begins)
    result: dict[str, Unit] = {}
    for path, home in homes.items():
        most = MOST_MAINS if home or others[home] else 1
        if home is None or (mains[home] > most and not others[home]):
            result[path] = Unit(path if home is not None else posixpath.dirname(path) or path)
        else:
            result[path] = Unit(home, separate=mains[home] > most)
    return result


def _home(path: str, mains: Mapping[str, int]) -> str | None:
    """The outermost folder with a document in it; the origin itself only if there is no other."""
    return next((folder for folder in (*_folders(path)[1:], "") if mains.get(folder)), None)


def _folders(path: str) -> list[str]:
    """The folders that a file lies in, from the origin (empty) inwards."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts) + 1)]
