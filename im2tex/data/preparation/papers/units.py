"""Decides which files form a paper, from their folders and from which files begin a document.

- A package of arXiv is a paper.
- A folder with files that begin a document is a paper, with all files below it.
- A folder with more than `MAX_DOCUMENTS` such files contains papers: each of these files is one.
- The given folder or archive also contains papers if all of its files begin a document.
- If no file begins a document, each folder is a paper.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

MAX_DOCUMENTS = 4
"""Documents of one paper: the paper, its supplement, and older versions."""


@dataclass(frozen=True, slots=True)
class PaperUnit:
    """Files that are read together.

    Attributes:
        name: name of the paper, or of the folder of papers.
        separate: whether each file that begins a document is a paper of its own.
    """

    name: str
    separate: bool = False


def paper_units(files: Mapping[str, bool]) -> dict[str, PaperUnit]:
    """Returns the unit of each file.

    Args:
        files: paths below the raw data, with whether the file begins a document.
    """
    documents: Counter[str] = Counter()
    for path, begins in files.items():
        documents[posixpath.dirname(path)] += begins
    homes = {path: _paper_folder(path, documents) for path in files}
    others = Counter(homes[path] for path, begins in files.items() if not begins)
    units: dict[str, PaperUnit] = {}
    for path, home in homes.items():
        most = MAX_DOCUMENTS if home or others[home] else 1
        if home is None:
            units[path] = PaperUnit(posixpath.dirname(path) or path)
        elif documents[home] > most and not others[home]:
            units[path] = PaperUnit(path)
        else:
            units[path] = PaperUnit(home, separate=documents[home] > most)
    return units


def _paper_folder(path: str, documents: Mapping[str, int]) -> str | None:
    """Returns the outermost folder with a document; the top folder ("") comes last."""
    parts = path.split("/")[:-1]
    folders = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return next((folder for folder in (*folders, "") if documents.get(folder)), None)
