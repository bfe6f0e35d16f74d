"""Runs one program within limits: its time, memory, files and environment are ours to say."""

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
# it is safe in a process with threads. What a system does not know (memory on macOS, processes in
# some shells) is left out. Units: seconds, 512 bytes, KiB.
_LIMITS = (
    'ulimit -c 0; ulimit -t "$1"; ulimit -f "$2"; ulimit -v "$3" 2>/dev/null; '
    "{ ulimit -u 1 || ulimit -p 1; } 2>/dev/null; "
    'shift 3; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What a program may take.

    Attributes:
        seconds: of processor time.
        wall_seconds: of waiting for it, for a program that sleeps; a busy machine must not reach
            it.
        megabytes: of memory.
        file_megabytes: of each file that it writes.
    """

    seconds: int = 20
    wall_seconds: float = 600.0
    megabytes: int = 1024
    file_megabytes: int = 64


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """How a program ended.

    Attributes:
        output: what it said, on both streams.
        killed: whether a limit ended it.
        status: its exit status; negative for a signal.
    """

    output: str
    killed: bool
    status: int


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], limits: SandboxLimits
) -> ProgramResult:
    """Runs a program to its end, without a shell's reading of its arguments, and without input.

    Args:
        command: the program and its arguments.
        folder: where it runs; its output is kept there while it does.
        environment: all of its environment.
        limits: what it may take.

    Returns:
        How it ended. Everything it may have started has ended with it.

    Raises:
        OSError: if there is no shell to start it.
    """
    shell = ["/bin/sh", "-c", _LIMITS, "sh", str(limits.seconds)]
    sizes = [str(limits.file_megabytes * 2048), str(limits.megabytes * 1024)]
    said = folder / f"{Path(command[0]).name}.out"
    with (
        said.open("wb") as out,
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
        # A timer rather than a timeout: waiting with one polls, and loses time on short programs.
        timer = Timer(limits.wall_seconds, _expire, (process.pid, expired))
        timer.daemon = True
        timer.start()
        try:
            if hasattr(os, "waitid"):
                # Kept as a zombie, its number cannot become another's before the group is killed.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            else:
                process.wait()
        finally:
            timer.cancel()
            _kill(process.pid)
        status = process.wait()
    output = said.read_bytes().decode("utf-8", "replace")
    return ProgramResult(output, expired.is_set() or status < 0 or status >= 128, status)


def _expire(group: int, expired: Event) -> None:
    expired.set()
    _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
