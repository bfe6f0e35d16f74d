"""`read_if_inkml`: recognises InkML among images by content, whatever the file's name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from im2tex.ink.inkml.contents import Inkml
from im2tex.ink.inkml.document import HEAD, MAX_BYTES, InkmlError, is_inkml, read_bytes
from im2tex.ink.inkml.reader import read_inkml


def read_if_inkml(source: Any) -> Inkml | None:
    """Reads a source if it is InkML.

    Args:
        source: a path, the bytes of a file, a seekable binary file, or any other object.

    Returns:
        The InkML; None if the source is not InkML or cannot be opened. A file whose name ends with
        `.inkml` is always read as InkML. The position of a file object that is not InkML is not
        changed.

    Raises:
        InkmlError: if it is InkML without ink.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix.lower() == ".inkml" or is_inkml(_read_head(path)):
            return read_inkml(path)
        return None
    data = source if isinstance(source, bytes) else _read_stream(source)
    return read_inkml(data, "the InkML") if is_inkml(data) else None


def _read_head(path: Path) -> bytes:
    with suppress(InkmlError):
        return read_bytes(path, str(path), HEAD)
    return b""


def _read_stream(source: Any) -> bytes:
    """The contents of a file object from its position, if it is InkML."""
    if not all(hasattr(source, name) for name in ("read", "seek", "tell")):
        return b""
    try:
        position = source.tell()
        head = source.read(HEAD)
        source.seek(position)
        if not isinstance(head, bytes) or not is_inkml(head):
            return b""
        return bytes(source.read(MAX_BYTES + 1))
    except (OSError, ValueError):  # closed or not seekable
        return b""
