"""The files below a folder: each once, links followed, and nothing opened that could block."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SPECIAL = {
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


@dataclass(frozen=True, slots=True)
class WalkedFile:
    """Something below a folder that is not a folder itself, or a folder that cannot be entered.

    Attributes:
        path: to open it by.
        name: relative to the folder, with slashes. What is not UTF-8 in it is escaped with
            backslashes.
        problem: why it cannot be read; "" for a regular file.
    """

    path: Path
    name: str
    problem: str = ""


def walk(folder: Path, *, hidden: bool = True) -> Iterator[WalkedFile]:
    """Finds the files below a folder.

    Links to files and to folders are followed. A folder is entered once: those that lie below the
    folder go before links to them, so that names do not depend on links.

    Args:
        folder: where to look.
        hidden: whether to take files and folders whose names begin with a dot.

    Yields:
        The files, in a fixed order.
    """
    top = os.path.realpath(folder)
    folders = [(folder, "")]
    links: deque[tuple[Path, str]] = deque()
    entered: set[str] = set()
    while folders or links:
        if folders:
            place, name = folders.pop()
        else:
            place, name = links.popleft()
            if top.startswith(os.path.realpath(place).rstrip(os.sep) + os.sep):
                yield _found(place, name, "a link to a folder that holds this one")
                continue
        real = os.path.realpath(place)
        if real in entered:
            continue
        entered.add(real)
        try:
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield _found(place, name, f"a folder that cannot be read: {error.strerror}")
            continue
        below = []
        for entry in entries:
            if entry.name.startswith(".") and not hidden:
                continue
            path, inner = Path(entry.path), f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir(follow_symlinks=False):
                below.append((path, inner))
            elif entry.is_symlink() and _is_folder(path):
                links.append((path, inner))
            else:
                yield _found(path, inner, _problem(path))
        folders += reversed(below)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _problem(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link in a loop of links"
        if error.errno == errno.ENOENT:
            return "a link to a file that does not exist"
        return str(error.strerror)
    return _SPECIAL.get(stat.S_IFMT(mode), "")


def _found(path: Path, name: str, problem: str) -> WalkedFile:
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("utf-8", "backslashreplace")
        problem = problem or "its name is not UTF-8: rename it"
    return WalkedFile(path, name, problem)
