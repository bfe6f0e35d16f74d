"""Finds model folders: packaged models by name, others by path. Needs no torch."""

from __future__ import annotations

import difflib
from pathlib import Path

from im2tex.errors import Im2TexError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODELS = Path(__file__).parent / "weights"


def names() -> list[str]:
    """The names of the packaged models."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{CONFIG}"))


def locate(name_or_path: str | Path) -> Path:
    """The folder of a model.

    Args:
        name_or_path: name of a packaged model, or path of a model folder.

    Raises:
        Im2TexError: if there is neither.
    """
    known = names()
    if str(name_or_path) in known:
        return MODELS / name_or_path
    path = Path(name_or_path)
    if (path / CONFIG).is_file():
        return path
    near = difflib.get_close_matches(str(name_or_path), known, n=1)
    raise Im2TexError(
        f"there is no model '{name_or_path}': it is neither a folder with {CONFIG}, which `im2tex "
        f"export` makes of a checkpoint, nor one of {', '.join(known) or 'the package: none'}."
        + (f" Did you mean {near[0]}?" if near else "")
    )


def member(folder: Path, index: int) -> Path:
    """The folder of a further model of an ensemble, counted from 1."""
    return folder / f"member_{index}"


def is_model_folder(name_or_path: str | Path) -> bool:
    """Whether this is the name of a packaged model, or the path of a model folder."""
    return str(name_or_path) in names() or (Path(name_or_path) / CONFIG).is_file()
