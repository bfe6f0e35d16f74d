"""The environment of a run: command, commit, processor, memory, accelerators, versions.

Host names are not recorded.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from im2tex.utils.wording import counted

_PACKAGES = ("im2tex", "torch", "lightning", "torchmetrics", "sacrebleu", "numpy", "pillow")


def describe_environment() -> dict[str, Any]:
    """Describes the machine for a result file.

    Returns:
        `cpu` (model name), `cores` (available to this process), `memory_gib` (likewise; None if
        unknown), `gpus` (a list of name and memory), `system`, `python` and `packages`
        (versions).
    """
    return {
        "cpu": _cpu_name(),
        "cores": _core_count(),
        "memory_gib": _memory_gib(),
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": _versions(),
    }


def environment_line(machine: dict[str, Any]) -> str:
    """`describe_environment()` in one line: `2 cores, AMD EPYC, 8 GiB, no GPU`."""
    memory = machine["memory_gib"]
    gpus = [gpu["name"] for gpu in machine["gpus"]]
    return ", ".join(
        [
            counted(machine["cores"], "core"),
            machine["cpu"],
            f"{memory:g} GiB" if memory is not None else "memory unknown",
            " + ".join(gpus) if gpus else "no GPU",
        ]
    )


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command line of this process, quoted for a shell.

    Args:
        arguments: those after `im2tex`; those of this process by default.
    """
    return shlex.join(["im2tex", *(sys.argv[1:] if arguments is None else arguments)])


def current_commit() -> str | None:
    """The commit of the checkout that this package is imported from.

    Returns:
        The full hash, with `-dirty` if a tracked file has changed. None if the package is
        installed rather than checked out, even inside another repository, or without git.
    """
    package = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(package), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"


def _core_count() -> int:
    """Cores available to this process, by its affinity and the quota of its container."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or `max`: no quota
        return cores


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    with contextlib.suppress(OSError, ValueError):  # no control group, or `max`: no limit
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return round(total / 2**30, 1)


def _gpus() -> list[dict[str, Any]]:
    import torch  # noqa: PLC0415 - tables are drawn without it

    if torch.cuda.is_available():
        found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
        return [
            {"name": gpu.name, "memory_gib": round(gpu.total_memory / 2**30, 1)} for gpu in found
        ]
    if torch.backends.mps.is_available():
        return [{"name": "Apple GPU", "memory_gib": None}]
    return []


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # a bare checkout on the path
            versions[package] = "not installed as a package"
    return versions
