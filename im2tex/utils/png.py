"""Pictures into files, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from im2tex.utils.files import atomic_write, wrap_os_errors


def save_png(path: Path, picture: Image.Image) -> None:
    """Writes a picture, whole or not at all.

    Args:
        path: the file; folders are made.
        picture: what to write.

    Raises:
        Im2TexError: if it cannot be written.
    """
    with wrap_os_errors(f"write {path}"), atomic_write(path) as part:
        picture.save(part, format="PNG", optimize=True)
