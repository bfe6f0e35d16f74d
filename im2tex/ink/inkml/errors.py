"""`InkmlError`: an InkML file that cannot be read."""

from __future__ import annotations

from im2tex.errors import Im2TexError


class InkmlError(Im2TexError):
    """An InkML file that cannot be read, or has no strokes.

    Args:
        file: its name.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")
