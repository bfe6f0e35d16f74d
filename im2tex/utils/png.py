"""Writing of PNG files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from im2tex.utils.files import atomic_write, wrap_os_errors


def save_png(path: Path, image: Image.Image) -> None:
    """Writes an image; after an error an earlier file is unchanged. Creates folders.

    Raises:
        Im2TexError: if the file cannot be written.
    """
    with wrap_os_errors(f"write {path}"), atomic_write(path) as part:
        image.save(part, format="PNG", optimize=True)
