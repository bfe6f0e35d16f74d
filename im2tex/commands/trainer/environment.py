"""Processes that SLURM or torchrun started: whether their variables fit the trainer."""

from __future__ import annotations

import os

_SRUN = (
    "start one process a device with `srun im2tex …`, or one process alone without SLURM's "
    "variables: `env -u SLURM_NTASKS im2tex …`."
)
_ALONE = ("bash", "interactive")  # names of jobs in which Lightning does not look at SLURM


def wrong_variables() -> str | None:
    """What does not fit in the environment that SLURM or torchrun made, before a trainer is made.

    Returns:
        What to change; None if nothing is wrong.
    """
    tasks = os.environ.get("SLURM_NTASKS")
    if tasks is None or os.environ.get("SLURM_JOB_NAME") in _ALONE:
        return None
    needed = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
    missing = [name for name in needed if name not in os.environ]
    for name in ("SLURM_NTASKS", *needed, "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            return f"the environment variable {name} is a number; got {value!r}: {_SRUN}"
    if missing:
        return f"SLURM_NTASKS is set without {' and '.join(missing)}, as without srun: {_SRUN}"
    if int(tasks) > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:
        return (
            f"SLURM_NTASKS is {tasks}, but SLURM_NTASKS_PER_NODE is not set: give the tasks by "
            "--ntasks-per-node, one for each device, instead of --ntasks."
        )
    return None


def wrong_world(size: int) -> str | None:
    """What does not fit between a trainer and the processes that SLURM or torchrun started.

    Args:
        size: processes that the trainer works with.
    """
    slurm = os.environ.get("SLURM_JOB_NAME") not in _ALONE
    for launcher, mark, name in (
        ("torchrun", "TORCHELASTIC_RUN_ID", "WORLD_SIZE"),
        ("SLURM", "SLURM_NTASKS" if slurm else "", "SLURM_NTASKS"),
    ):
        if mark in os.environ and os.environ.get(name, "1") != str(size):
            return (
                f"{launcher} started {os.environ[name]} processes, but the trainer works with "
                f"{size}: set --trainer.devices to the processes on each node and "
                "--trainer.num_nodes to the nodes, or start as many processes as devices."
            )
    return None
