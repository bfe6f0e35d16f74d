"""Finds the raw data of a source: from `--from`, or in the folder that `IM2TEX_DATA` names."""

from __future__ import annotations

from pathlib import Path

from im2tex.data.preparation.download import download, is_url
from im2tex.errors import Im2TexError
from im2tex.utils.raw_data import raw_data_folder


def locate_raw_data(raw_data: str | None, root: Path, default: str, hint: str) -> Path:
    """Returns the path of the raw data; a URL is downloaded to `root/downloads`.

    Args:
        raw_data: a path or a URL; the default if not given.
        root: the data root.
        default: path below the folder that `IM2TEX_DATA` names.
        hint: how the user gets the raw data, for error messages.

    Raises:
        Im2TexError: if the path does not exist, or neither `raw_data` nor `IM2TEX_DATA` is given.
    """
    if raw_data is None:
        folder, _, name = default.partition("/")
        parent = raw_data_folder(folder)
        if parent is None:
            raise Im2TexError(hint)
        raw_data = str(parent / name)
    path = download(raw_data, root / "downloads") if is_url(raw_data) else Path(raw_data)
    if not path.exists():
        raise Im2TexError(f"{path} does not exist. {hint}")
    return path


def refuse_labels(source: str, labels: Path | None) -> None:
    """Raises an error if `--labels` is given to a source that makes its labels itself.

    Raises:
        Im2TexError: if labels are given.
    """
    if labels is not None:
        raise Im2TexError(f"source '{source}' makes its own labels: remove --labels.")
