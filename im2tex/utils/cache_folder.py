"""The folder of files that can be made again, such as unpacked data and rendered images."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache_folder() -> Path | None:
    """Returns `$XDG_CACHE_HOME/im2tex`, or `~/.cache/im2tex`; None without a home folder."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no $HOME, and no entry of this user
        return None
    return base / "im2tex"
