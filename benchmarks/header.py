"""The clock, the common flags and the header (command, machine, load) of a benchmark."""

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
    """Processor time for one thread on a CPU, wall time for several threads or a GPU.

    Attributes:
        name: name of the kind of time.
        now: returns seconds since an arbitrary moment.
    """

    def __init__(self, device: torch.device, threads: int) -> None:
        single = device.type == "cpu" and threads == 1
        self.name = "processor time" if single else "wall time"
        self.now: Callable[[], float] = time.process_time if single else time.perf_counter


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses the command line of a benchmark, with `--threads` and `--device`.

    Args:
        parser: the parser, without the two flags, which this function adds.

    Returns:
        The arguments, with `device` as a `torch.device`, and `clock`.
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

    Call it after setting the number of threads, before any measurement.
    """
    script, *arguments = sys.argv
    # Without the path of the checkout.
    command = shlex.join(["python", f"benchmarks/{Path(script).name}", *arguments])
    commit, _, changed = (current_commit() or "unknown").partition("-")
    commit = commit[:7] + (" and changes" if changed else "")
    date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    threads = f"{torch.get_num_threads()} thread(s)"
    print(f"{command}\ncommit {commit}, {date}, torch {version('torch')}, {threads}")
    busy = f"{os.getloadavg()[0]:.1f} load average over the last minute"
    print(f"{environment_line(describe_environment())}; {busy}\n", flush=True)
