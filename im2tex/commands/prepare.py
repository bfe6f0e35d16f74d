"""`im2tex data prepare`: a source's raw data into a store."""

from __future__ import annotations

from pathlib import Path

from im2tex.data.source import SOURCES


def prepare(source: str, root: Path, origin: str | None, labels: Path | None) -> str:
    """Prepares a source and says what was done.

    Args:
        source: registered name.
        root: folder of the stores.
        origin: the raw data, a path or a URL, where the source needs one.
        labels: a file of labels to use instead of the data's own.

    Raises:
        Im2TexError: if something is missing, unreadable or unwritable.
    """
    done = SOURCES.build(source).prepare(root, origin, labels)
    counts = ", ".join(f"{split} {count:,}" for split, count in done.splits.items())
    return "\n".join([f"{source} under {root / source}: {counts}", *done.lines])
