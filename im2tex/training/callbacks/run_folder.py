"""The folder of a run: reserved by its first process, known to all."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only


def run_folder(trainer: Trainer) -> Path | None:
    """The run's folder, `SAVE_DIR/NAME/VERSION` of its first logger.

    `ModelCheckpoint` creates `checkpoints/` in the same folder. `trainer.log_dir` differs: for W&B
    it is a folder that all runs share. Every process must call this function, because the first
    process broadcasts the result.

    Returns:
        The folder, which may not exist yet; None without a logger, and in a dry run
        (`fast_dev_run`), which writes no files.
    """
    folder: str | None = None
    is_dry_run = bool(getattr(trainer, "fast_dev_run", False))
    if trainer.loggers and trainer.is_global_zero and not is_dry_run:
        logger = trainer.loggers[0]
        _ = getattr(logger, "experiment", None)  # starts a W&B run, which gives it an id
        version = logger.version
        if not isinstance(version, str):
            version = f"version_{version}"
        save_dir = logger.save_dir or trainer.default_root_dir
        folder = str(Path(save_dir) / str(logger.name) / version)
    folder = trainer.strategy.broadcast(folder)
    return None if folder is None else Path(folder)


def reserve_version_folder(logger: Any) -> None:
    """Makes a CSV or TensorBoard logger create `version_N` as soon as it chooses N.

    Lightning's loggers create the folder seconds later, so that two runs started together share
    one. Here the first process of a run creates it at once, and tries the next number if another
    run was faster. A version set by the user is kept, and other loggers are unchanged.

    Args:
        logger: a logger of a trainer.
    """
    if isinstance(logger, CSVLogger | TensorBoardLogger):
        logger._get_next_version = partial(_create_next, logger)  # type: ignore[method-assign]


def _create_next(logger: CSVLogger | TensorBoardLogger) -> int:
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
