"""Runs a program with limits on its time, memory, files and environment."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer

# The shell sets the limits and becomes the program: that needs no code between fork and exec, so
# it is safe in a process with threads. Limits that a system does not support (memory on macOS,
# processes in some shells) are skipped. Units: seconds, 512 bytes, KiB.
_LIMITS = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3" 2>/dev/null; '
    "{ ulimit -u 1 || ulimit -p 1; } 2>/dev/null; "
    'shift 3; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits of a program.

    Attributes:
        seconds: of processor time.
        wall_seconds: of elapsed time, for a program that sleeps; more than a busy machine needs.
        megabytes: of memory.
        file_megabytes: of each file that it writes.
    """

    seconds: int = 20
    wall_seconds: float = 600.0
    megabytes: int = 1024
    file_megabytes: int = 64


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The result of a program.

    Attributes:
        output: of both streams.
        killed: whether a limit ended it.
        status: exit status; negative for a signal.
    """

    output: str
    killed: bool
    status: int


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: SandboxLimits
) -> ProgramResult:
    """Runs a program to its end, without input.

    Args:
        command: the program and its arguments, which no shell interprets.
        folder: working folder, which gets the output.
        environment: all environment variables.
        limits: see `SandboxLimits`.

    Returns:
        The result. All processes that it started have ended, too.

    Raises:
        OSError: if there is no shell.
    """
    shell = ["/bin/sh", "-c", _LIMITS, "sh", str(limits.seconds)]
    sizes = [str(limits.file_megabytes * 2048), str(limits.megabytes * 1024)]
    log = folder / f"{Path(command[0]).name}.out"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [*shell, *sizes, *command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        expired = Event()
        # A timer rather than a timeout, which polls and so delays short programs.
        timer = Timer(limits.wall_seconds, _expire, (process.pid, expired))
        timer.daemon = True
        timer.start()
        try:
            if hasattr(os, "waitid"):
                # A zombie keeps its process id: no other process can get it before the kill.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            else:
                process.wait()
        finally:
            timer.cancel()
            _kill(process.pid)
        status = process.wait()
    output = log.read_bytes().decode("utf-8", "replace")
    return ProgramResult(output, expired.is_set() or status < 0 or status >= 128, status)


def _expire(group: int, expired: Event) -> None:
    expired.set()
    _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
