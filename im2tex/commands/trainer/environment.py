"""Checks of the variables that SLURM or torchrun set for the processes that they start."""

from __future__ import annotations

import os

from im2tex.errors import Im2TexError

_ADVICE = (
    "start one process per device with `srun im2tex …`, or a single process without SLURM's "
    "variables: `env -u SLURM_NTASKS im2tex …`."
)
_INTERACTIVE = ("bash", "interactive")  # names of jobs in which Lightning ignores SLURM


def check_launcher_variables() -> None:
    """Checks the variables before a trainer is made.

    Raises:
        Im2TexError: if they are incomplete or wrong.
    """
    tasks = os.environ.get("SLURM_NTASKS")
    if tasks is None or os.environ.get("SLURM_JOB_NAME") in _INTERACTIVE:
        return
    needed = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
    for name in ("SLURM_NTASKS", *needed, "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise Im2TexError(
                f"the environment variable {name} must be a number, got {value!r}: {_ADVICE}"
            )
    missing = [name for name in needed if name not in os.environ]
    if missing:
        raise Im2TexError(
            f"SLURM_NTASKS is set without {' and '.join(missing)}, as without srun: {_ADVICE}"
        )
    if int(tasks) > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise Im2TexError(
            f"SLURM_NTASKS is {tasks}, but SLURM_NTASKS_PER_NODE is not set: give the tasks by "
            "--ntasks-per-node, one for each device, instead of --ntasks."
        )


def check_world_size(size: int) -> None:
    """Checks that SLURM or torchrun started as many processes as the trainer expects.

    Args:
        size: number of processes that the trainer expects.

    Raises:
        Im2TexError: if they started another number.
    """
    slurm = os.environ.get("SLURM_JOB_NAME") not in _INTERACTIVE
    for launcher, marker, name in (
        ("torchrun", "TORCHELASTIC_RUN_ID", "WORLD_SIZE"),
        ("SLURM", "SLURM_NTASKS" if slurm else "", "SLURM_NTASKS"),
    ):
        if marker in os.environ and os.environ.get(name, "1") != str(size):
            raise Im2TexError(
                f"{launcher} started {os.environ[name]} processes, but the trainer works with "
                f"{size}: set --trainer.devices to the processes on each node and "
                "--trainer.num_nodes to the nodes, or start as many processes as devices."
            )
