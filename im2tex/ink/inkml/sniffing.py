"""`read_if_inkml`: InkML among pictures, by content, whatever the file is called."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from im2tex.ink.inkml.document import HEAD, MAX_BYTES, is_inkml
from im2tex.ink.inkml.reader import Inkml, read_inkml

_UNNAMED = "the InkML"


def read_if_inkml(source: Any) -> Inkml | None:
    """Reads a source if it is InkML.

    Args:
        source: a path, the bytes of a file, a binary file object that can seek, or anything else.

    Returns:
        What the InkML says, or None where the source is something else or cannot be opened. A
        file whose name ends in `.inkml` is taken for InkML whatever it holds. A file object that
        is no InkML is left at the place where it was.

    Raises:
        InkmlError: if it is InkML that gives no ink.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        named = path.suffix.lower() == ".inkml"
        return read_inkml(path) if named or is_inkml(_head(path)) else None
    data = source if isinstance(source, bytes) else _stream(source)
    return read_inkml(data, _UNNAMED) if is_inkml(data) else None


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""


def _stream(source: Any) -> bytes:
    """What a file object holds from its place on, if it is InkML."""
    if not all(hasattr(source, name) for name in ("read", "seek", "tell")):
        return b""
    try:
        place = source.tell()
        head = source.read(HEAD)
        source.seek(place)
        if not isinstance(head, bytes) or not is_inkml(head):
            return b""
        return bytes(source.read(MAX_BYTES + 1))
    except (OSError, ValueError):  # closed, or it cannot seek after all
        return b""
