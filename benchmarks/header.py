"""How a benchmark begins: on what it runs, by which clock, and what stands above its figures."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from im2tex.evaluation.environment import (
    current_commit,
    describe_environment,
    environment_line,
)


class Clock:
    """Seconds on a device: one thread by its processor time, more of them or a GPU by the wall.

    Attributes:
        name: of the time that it tells.
        now: seconds, of any beginning.
    """

    def __init__(self, device: torch.device, threads: int) -> None:
        one = device.type == "cpu" and threads == 1
        self.name = "processor time" if one else "wall time"
        self.now: Callable[[], float] = time.process_time if one else time.perf_counter


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the command line of a benchmark that runs with some threads, or on a device.

    Args:
        parser: without `--threads` and `--device`, which it gets here.

    Returns:
        The arguments, `device` among them as PyTorch's, and `clock`.
    """
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cpu")
    args = parser.parse_args()
    args.clock = Clock(args.device, args.threads)
    torch.set_num_threads(args.threads)
    announce()
    return args


def announce() -> None:
    """Prints command, commit, date, machine, versions and load.

    To be called once the number of threads is set, before anything is timed.
    """
    script, *arguments = sys.argv
    # Where the checkout lies is no one's business.
    command = shlex.join(["python", f"benchmarks/{Path(script).name}", *arguments])
    commit, _, changed = (current_commit() or "unknown").partition("-")
    commit = commit[:7] + (" and changes" if changed else "")
    date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    threads = f"{torch.get_num_threads()} thread(s)"
    print(f"{command}\ncommit {commit}, {date}, torch {version('torch')}, {threads}")
    busy = f"{os.getloadavg()[0]:.1f} processes at work in the minute before"
    print(f"{environment_line(describe_environment())}; {busy}\n", flush=True)
