"""`inkml_in`: InkML among pictures, by content, whatever the file is called."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from im2tex.ink.inkml.document import HEAD, MAX_BYTES, is_inkml
from im2tex.ink.inkml.reader import Inkml, read_inkml

_UNNAMED = "the InkML"


def inkml_in(source: Any) -> Inkml | None:
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
        if path.suffix.lower() == ".inkml" or is_inkml(_head(path)):
            return read_inkml(path)
        return None
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source[:HEAD])
        return read_inkml(bytes(source), _UNNAMED) if is_inkml(data) else None
    if not (hasattr(source, "read") and hasattr(source, "seek") and hasattr(source, "tell")):
        return None
    try:
        place = source.tell()
        head = source.read(HEAD)
        source.seek(place)
        if not isinstance(head, bytes) or not is_inkml(head):
            return None
        return read_inkml(source.read(MAX_BYTES + 1), _UNNAMED)
    except (OSError, ValueError):  # closed, or it cannot seek after all
        return None


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""
