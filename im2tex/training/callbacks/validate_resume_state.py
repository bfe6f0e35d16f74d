"""Checks the state of optimisers, schedules and loops before a fit resumes from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint_contents import require_fit, require_state

_ADVICE = (
    "The file is damaged: resume from another checkpoint, or start a fit from its weights with "
    "--model.init_from."
)


_PRECISION = "precision"  # the key in a checkpoint


class ValidateResumeState(Callback):
    """Compares the state in a checkpoint with that of the fit.

    Lightning loads the state without checks, and a wrong value fails steps later. Another precision
    than the checkpoint's, as of another device, is allowed and logged.

    Raises:
        Im2TexError: naming the first wrong value.
    """

    def __init__(self) -> None:
        self._checkpoint: Mapping[str, Any] | None = None

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the precision of the fit."""
        checkpoint[_PRECISION] = str(trainer.precision)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the checkpoint until the optimisers exist."""
        self._checkpoint = checkpoint
        where = str(trainer.ckpt_path)
        if "current_model_state" in checkpoint:  # of `EMA`
            state = checkpoint["current_model_state"]
            require_state(state, where, "current_model_state")
            require_fit(pl_module.state_dict(), state, where)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares the states."""
        checkpoint, self._checkpoint = self._checkpoint, None
        if checkpoint is None:
            return
        before = checkpoint.get(_PRECISION, trainer.precision)
        if before != trainer.precision:
            rank_zero_info(f"the fit resumes in precision {trainer.precision}; it was {before}.")
        where = str(trainer.ckpt_path)
        loop = checkpoint.get("loops", {}).get("fit_loop", {})
        check_same_structure(trainer.fit_loop.state_dict(), loop, f"{where}: loops")
        where = f"{trainer.ckpt_path}: optimizer_states"
        states = _require_list(checkpoint, "optimizer_states", len(trainer.optimizers), where)
        for optimizer, state in zip(trainer.optimizers, states, strict=True):
            _check_optimizer(optimizer, state, where)
        where = f"{trainer.ckpt_path}: lr_schedulers"
        schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
        states = _require_list(checkpoint, "lr_schedulers", len(schedules), where)
        for schedule, state in zip(schedules, states, strict=True):
            check_same_structure(schedule.state_dict(), state, where)
            for name in state:  # the state is copied into the attributes of the schedule
                if not isinstance(name, str) or callable(getattr(type(schedule), name, None)):
                    raise Im2TexError(f"{where}, {ascii(name)[:80]}: {_ADVICE}")


def check_same_structure(expected: Any, stored: Any, where: str) -> None:
    """Checks types, lengths and shapes of stored values; names in only one of both are ignored.

    Raises:
        Im2TexError: naming the first value that differs.
    """
    if isinstance(expected, Mapping):
        is_good = isinstance(stored, Mapping)
        for name in expected if is_good else ():
            if name in stored and name != "combined_loader":
                check_same_structure(expected[name], stored[name], f"{where}, {name}")
    elif isinstance(expected, list | tuple):
        is_good = isinstance(stored, list | tuple) and len(stored) == len(expected)
        for value, other in zip(expected, stored, strict=True) if is_good else ():
            check_same_structure(value, other, where)
    elif isinstance(expected, bool):
        is_good = isinstance(stored, bool)
    elif isinstance(expected, int):
        is_good = isinstance(stored, int) and -1 <= stored < 2**62
    elif isinstance(expected, float):
        is_number = isinstance(stored, int | float)
        is_good = is_number and (math.isfinite(stored) or not math.isfinite(expected))
    elif isinstance(expected, Tensor):
        is_good = isinstance(stored, Tensor) and stored.shape == expected.shape
    else:
        is_good = expected is None or isinstance(stored, type(expected))
    if not is_good:
        shown = repr(stored) if isinstance(stored, bool | int | float) else type(stored).__name__
        raise Im2TexError(f"{where} is {shown:.40}, not like {expected!r:.40}. {_ADVICE}")


def _require_list(checkpoint: Mapping[str, Any], name: str, count: int, where: str) -> list[Any]:
    states = checkpoint.get(name, [])
    if not isinstance(states, list) or len(states) != count:
        raise Im2TexError(f"{where} must be a list of {count} states. {_ADVICE}")
    return states


def _check_optimizer(optimizer: torch.optim.Optimizer, stored: Any, where: str) -> None:
    if not isinstance(stored, dict) or not isinstance(stored.get("state"), dict):
        raise Im2TexError(f"{where} has no state. {_ADVICE}")
    check_same_structure(optimizer.state_dict()["param_groups"], stored.get("param_groups"), where)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    indices = [index for group in stored["param_groups"] for index in group.get("params", ())]
    for index, parameter in zip(indices, parameters, strict=False):
        values = stored["state"].get(index, {})
        if not isinstance(values, dict):
            raise Im2TexError(f"{where}, {index} is a {type(values).__name__}. {_ADVICE}")
        for name, value in values.items():
            if not _is_moment(name, value, parameter):
                raise Im2TexError(f"{where}, {index}, {ascii(name)[:80]} does not fit. {_ADVICE}")


def _is_moment(name: Any, value: Any, parameter: Tensor) -> bool:
    """Whether a value of an optimiser's state can belong to a parameter."""
    if not isinstance(value, Tensor):
        return value is None or isinstance(value, int | float)
    return (
        value.shape in (parameter.shape, torch.Size([]))
        and bool(torch.isfinite(value.double()).all())
        and (value.is_floating_point() or name == "step")
    )
