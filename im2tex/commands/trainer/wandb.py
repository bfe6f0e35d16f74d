"""Runs of Weights & Biases: the folder of their files, and their exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from im2tex.errors import Im2TexError


def set_save_dir(logger: Any, folder: str) -> None:
    """Sets the folder of a W&B logger, and of the run's own files, if it is not set.

    The default is the working directory, where `--ckpt_path last` does not search.

    Args:
        logger: `trainer.logger` as parsed: a logger, a list, or None; changed in place.
        folder: folder of the runs.
    """
    for entry in logger if isinstance(logger, list) else [logger]:
        if str(getattr(entry, "class_path", "")).endswith(".WandbLogger"):
            settings = entry.init_args
            if settings.get("save_dir") in (None, "."):  # the logger's own default
                settings["save_dir"] = folder


@contextmanager
def wandb_run_scope() -> Iterator[None]:
    """Finishes the W&B run that the block starts, as failed if the block raises an error.

    W&B notices only uncaught exceptions and `sys.exit`, and a second command of the process would
    continue the run of the first.

    Raises:
        Im2TexError: in place of W&B's own errors, such as a missing login.
    """
    before = _current_run()
    status = 1
    try:
        yield
        status = 0
    except Exception as error:
        wandb = sys.modules.get("wandb")
        if wandb is None or not isinstance(error, wandb.Error):
            raise
        raise Im2TexError(
            f"Weights & Biases: {' '.join(str(error).split()).rstrip('.')}. Log in with `wandb "
            "login`, or keep its files here with WANDB_MODE=offline."
        ) from error
    finally:
        run = _current_run()
        if run is not None and run is not before:
            run.finish(exit_code=status)


def _current_run() -> Any:
    """The process's W&B run; W&B is imported only by a logger of it."""
    return getattr(sys.modules.get("wandb"), "run", None)
