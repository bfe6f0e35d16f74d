"""Pictures into files, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.utils.files import replacing


def save_png(path: Path, picture: Image.Image) -> None:
    """Writes a picture, whole or not at all.

    Args:
        path: the file; folders are made.
        picture: what to write.

    Raises:
        Im2TexError: if it cannot be written.
    """
    try:
        with replacing(path) as part:
            picture.save(part, format="PNG", optimize=True)
    except OSError as error:
        raise Im2TexError(f"cannot write {path}: {error.strerror or error}.") from error
