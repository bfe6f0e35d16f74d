"""Lists the files below a folder; links are followed, each folder is entered once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WalkedFile:
    """A file below a folder, or a subfolder that cannot be entered.

    Attributes:
        path: path to open the file.
        name: path relative to the folder, with slashes; bytes that are not UTF-8 are escaped with
            backslashes.
        problem: why the file cannot be read; "" for a regular file.
    """

    path: Path
    name: str
    problem: str = ""


def walk(folder: Path, *, hidden: bool = True) -> Iterator[WalkedFile]:
    """Yields the files below a folder in a fixed order.

    Folders are entered before links to folders, so that the names of files do not depend on links.

    Args:
        folder: the folder to search.
        hidden: include files and folders whose names begin with a dot.
    """
    top = os.path.realpath(folder)
    errors: list[OSError] = []
    pending = deque([folder])
    entered: set[str] = set()
    while pending:
        start = pending.popleft()
        if top.startswith(os.path.realpath(start) + os.sep):
            yield _walked_file(start, folder, "a link to a folder that holds this one")
            continue
        for place, folders, names in os.walk(start, onerror=errors.append):
            real = os.path.realpath(place)
            if real in entered:
                folders.clear()
                continue
            entered.add(real)
            kept = sorted(name for name in folders if hidden or not name.startswith("."))
            folders[:] = [name for name in kept if not os.path.islink(os.path.join(place, name))]
            pending += [Path(place, name) for name in kept if name not in folders]
            for name in sorted(names):
                if hidden or not name.startswith("."):
                    path = Path(place, name)
                    regular = os.path.isfile(path)
                    yield _walked_file(
                        path, folder, "" if regular else "a broken link or not a file"
                    )
    for error in errors:
        problem = f"a folder that cannot be read: {error.strerror}"
        yield _walked_file(Path(error.filename), folder, problem)


def _walked_file(path: Path, folder: Path, problem: str) -> WalkedFile:
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("utf-8", "backslashreplace")
        problem = problem or "its name is not UTF-8: rename it"
    return WalkedFile(path, name, problem)
