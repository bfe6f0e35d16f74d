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
    commit = commit[:7] + (" and changes" if changed else "")
    date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    threads = f"{torch.get_num_threads()} thread(s)"
    print(f"{command}\ncommit {commit}, {date}, torch {version('torch')}, {threads}")
    busy = f"{os.getloadavg()[0]:.1f} processes at work in the minute before"
    print(f"{machine_line(describe_machine())}; {busy}\n", flush=True)
