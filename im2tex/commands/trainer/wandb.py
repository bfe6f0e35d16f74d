"""Runs of Weights & Biases: where their files lie, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from im2tex.errors import Im2TexError


def place(logger: Any, folder: str) -> None:
    """Puts what W&B's logger writes, and with it the run's own files, below a folder.

    Without a `save_dir` they lie in the working directory, where neither a person nor
    `--ckpt_path last` looks for them.

    Args:
        logger: `trainer.logger` as parsed: one, a list, or none; changed in place.
        folder: of the runs.
    """
    for one in logger if isinstance(logger, list) else [logger]:
        if str(getattr(one, "class_path", "")).endswith(".WandbLogger"):
            settings = one.init_args
            if settings.get("save_dir") in (None, "."):  # the logger's own default
                settings["save_dir"] = folder


@contextmanager
def own_run() -> Iterator[None]:
    """Ends the W&B run that a command within starts: as failed, if the command fails.

    W&B itself learns of a failure only from exceptions that nobody catches and from `sys.exit`,
    and a second command of the process would go on with the run of the first.

    Raises:
        Im2TexError: for what W&B complains about, such as that nobody is logged in.
    """
    before = _current()
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
        run = _current()
        if run is not None and run is not before:
            run.finish(exit_code=status)


def _current() -> Any:
    """The process's W&B run; W&B is imported only by a logger of it."""
    return getattr(sys.modules.get("wandb"), "run", None)
