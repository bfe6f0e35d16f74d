"""A fit goes on only from a state that is one of its own optimiser, schedule and loops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint_contents import require_fit, require_state

_AGAIN = (
    "The file is damaged: go on from another checkpoint, or start a fit from its weights with "
    "--model.init_from."
)


class ValidateResumeState(Callback):
    """Compares what a checkpoint holds beside the weights with what the fit is about to fill.

    Lightning takes such states over as they are, and what is odd in them fails steps later.

    Raises:
        Im2TexError: naming the first value that does not fit.
    """

    def __init__(self) -> None:
        self._content: Mapping[str, Any] | None = None

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the checkpoint until optimisers and schedules are there."""
        self._content = checkpoint
        where = str(trainer.ckpt_path)
        if "current_model_state" in checkpoint:  # of an average of the weights
            state = checkpoint["current_model_state"]
            require_state(state, where, "current_model_state")
            require_fit(pl_module.state_dict(), state, where)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares."""
        content, self._content = self._content, None
        if content is None:
            return
        where = str(trainer.ckpt_path)
        loops = content.get("loops", {})
        check_same_structure(
            trainer.fit_loop.state_dict(), loops.get("fit_loop", {}), f"{where}: loops"
        )
        stored = content.get("optimizer_states", [])
        _require_number(stored, len(trainer.optimizers), f"{where}: optimizer_states")
        for optimizer, state in zip(trainer.optimizers, stored, strict=True):
            _require_optimizer(optimizer, state, f"{where}: optimizer_states")
        schedules = [one.scheduler for one in trainer.lr_scheduler_configs]
        stored = content.get("lr_schedulers", [])
        _require_number(stored, len(schedules), f"{where}: lr_schedulers")
        for schedule, state in zip(schedules, stored, strict=True):
            check_same_structure(schedule.state_dict(), state, f"{where}: lr_schedulers")
            for name in state:
                if not isinstance(name, str) or callable(getattr(type(schedule), name, None)):
                    raise Im2TexError(f"{where}: lr_schedulers, {ascii(name)[:80]}: {_AGAIN}")


def check_same_structure(fresh: Any, stored: Any, where: str) -> None:
    """Checks that stored values are of the kinds of fresh ones, as far as both have them.

    Raises:
        Im2TexError: naming the first that is not.
    """
    if isinstance(fresh, Mapping):
        good = isinstance(stored, Mapping)
        for name in fresh if good else ():
            if name in stored and name != "combined_loader":
                check_same_structure(fresh[name], stored[name], f"{where}, {name}")
    elif isinstance(fresh, list | tuple):
        good = isinstance(stored, list | tuple) and len(stored) == len(fresh)
        for one, other in zip(fresh, stored, strict=True) if good else ():
            check_same_structure(one, other, where)
    elif isinstance(fresh, bool):
        good = isinstance(stored, bool)
    elif isinstance(fresh, int):
        good = isinstance(stored, int) and -1 <= stored < 2**62
    elif isinstance(fresh, float):
        good = isinstance(stored, int | float) and (
            math.isfinite(stored) or not math.isfinite(fresh)
        )
    elif isinstance(fresh, Tensor):
        good = isinstance(stored, Tensor) and stored.shape == fresh.shape
    else:
        good = fresh is None or isinstance(stored, type(fresh))
    if not good:
        shown = repr(stored) if isinstance(stored, bool | int | float) else type(stored).__name__
        raise Im2TexError(f"{where} is {shown:.40}, not like {fresh!r:.40}. {_AGAIN}")


def _require_number(stored: Any, number: int, where: str) -> None:
    if not isinstance(stored, list) or len(stored) != number:
        raise Im2TexError(f"{where} should be {number} in a list. {_AGAIN}")


def _require_optimizer(optimizer: torch.optim.Optimizer, stored: Any, where: str) -> None:
    if not isinstance(stored, dict) or not isinstance(stored.get("state"), dict):
        raise Im2TexError(f"{where}: there is no state in it. {_AGAIN}")
    check_same_structure(optimizer.state_dict()["param_groups"], stored.get("param_groups"), where)
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    numbers = [number for group in stored["param_groups"] for number in group.get("params", ())]
    for number, parameter in zip(numbers, parameters, strict=False):
        values = stored["state"].get(number, {})
        if not isinstance(values, dict):
            raise Im2TexError(f"{where}, {number} is a {type(values).__name__}. {_AGAIN}")
        for name, value in values.items():
            if isinstance(value, Tensor):
                good = value.shape in (parameter.shape, torch.Size([]))
                good = good and bool(torch.isfinite(value.double()).all())
                good = good and (value.is_floating_point() or name == "step")
            else:
                good = value is None or isinstance(value, int | float)
            if not good:
                raise Im2TexError(f"{where}, {number}, {ascii(name)[:80]} does not fit. {_AGAIN}")
