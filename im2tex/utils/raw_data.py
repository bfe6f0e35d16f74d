"""The folder of raw data sets that the environment variable IM2TEX_DATA names."""

from __future__ import annotations

import os
from pathlib import Path


def raw_data_folder(name: str) -> Path | None:
    """The folder of one raw data set; None if IM2TEX_DATA is not set.

    Args:
        name: of the data set's folder, such as "crohme".
    """
    parent = os.environ.get("IM2TEX_DATA")
    return Path(parent) / name if parent else None
