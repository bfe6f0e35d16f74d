"""The one folder that a run calls its own."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Trainer


def run_folder(trainer: Trainer) -> Path | None:
    """The run's own folder: `SAVE_DIR/NAME/VERSION` of its first logger.

    It is the folder that `ModelCheckpoint` puts `checkpoints/` into, whatever the logger. (Not
    `trainer.log_dir`, which for W&B is the folder that all runs share.) Every process must call
    it, for the first one tells the others.

    Returns:
        The folder, which may not exist yet; None for a run without a logger, which has none, and
        for a dry run (`fast_dev_run`), which leaves nothing behind.
    """
    folder: str | None = None
    dry = bool(getattr(trainer, "fast_dev_run", False))
    if trainer.loggers and trainer.is_global_zero and not dry:
        logger = trainer.loggers[0]
        # W&B gives a run its id when it starts, which asking for it makes happen.
        _ = getattr(logger, "experiment", None)
        version = logger.version
        if not isinstance(version, str):
            version = f"version_{version}"
        save_dir = logger.save_dir or trainer.default_root_dir
        folder = str(Path(save_dir) / str(logger.name) / version)
    folder = trainer.strategy.broadcast(folder)
    return None if folder is None else Path(folder)
