"""A folder for each run: made by one process of it, and by no process of another run."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only


def reserve_version_folder(logger: Any) -> None:
    """Makes a logger take the next `version_N` by making it.

    Lightning's loggers look for the next free number and make its folder seconds later, so that
    two runs started together take the same. Here the folder is made at once, when its name is
    first asked for, and the number after it is tried if another run was faster. Only the first
    process of a run makes a folder; what the others need to know of it they are told, see
    `run_folder`. A version that was set is used as it is, and other loggers (Weights & Biases)
    give each run an id of its own.

    Args:
        logger: of a trainer.
    """
    if isinstance(logger, CSVLogger | TensorBoardLogger):
        logger._get_next_version = partial(_make_next, logger)  # type: ignore[method-assign]


def _make_next(logger: CSVLogger | TensorBoardLogger) -> int:
    number = type(logger)._get_next_version(logger)  # type: ignore[arg-type]
    if getattr(rank_zero_only, "rank", 0) != 0:
        return number
    root = Path(logger.root_dir)
    root.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            os.mkdir(root / f"version_{number}")
        except FileExistsError:
            number += 1
        else:
            return number
