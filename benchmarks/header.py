"""What stands above a benchmark's figures: command, commit, date, machine, versions, load."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from im2tex.report.machine import describe_machine, machine_line
from im2tex.report.results import current_commit


def announce() -> None:
    """Prints them; to be called once the number of threads is set, before anything is timed."""
    script, *arguments = sys.argv
    # Where the checkout lies is no one's business.
    command = shlex.join(["python", f"benchmarks/{Path(script).name}", *arguments])
    commit, _, changed = (current_commit() or "unknown").partition("-")
    print(command)
    print(
        f"commit {commit[:7]}{' and changes' * bool(changed)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
        f"torch {version('torch')}, {torch.get_num_threads()} thread(s)"
    )
    busy = f"{os.getloadavg()[0]:.1f} processes at work in the minute before"
    print(f"{machine_line(describe_machine())}; {busy}\n", flush=True)
