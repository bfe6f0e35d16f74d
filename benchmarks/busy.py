"""Measures training beside other work: waiting policies of threads, and loader workers.

    python benchmarks/busy.py waiting
    python benchmarks/busy.py loading configs/crohme_small.yaml --root data

`waiting` times a step of a small convolution and LSTM with 1 and 2 threads, alone and beside one
and two processes that compute without pause. "spinning" is OpenMP's default, "brief" what the
command `im2tex` sets. With C cores, T threads and P other processes, a fair share of the cores is
C / (T + P), at most 1: the last columns are the speed as a fraction of the speed alone, and that
share.

`loading` trains a configuration with several numbers of threads and loader workers. Without
--root, it trains on formulas that the package generates.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from header import announce
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import nn

from im2tex import Im2Tex
from im2tex.commands.trainer.config_layers import load_config
from im2tex.data.datamodule import FormulaDataModule
from im2tex.training.precision import resolve_precision
from im2tex.utils.thread_waiting import set_brief_waiting

THREADS = (1, 2)
COMPANIONS = (0, 1, 2)
POLICIES = ("spinning", "brief")
LOADING = ((1, 1), (2, 0), (2, 1), (2, 2), (1, 2))
"""Threads and loader workers of each case."""
WARMUP_STEPS = 10
_BUSY = "import sys, time\nend = time.time() + float(sys.argv[1])\nwhile time.time() < end: pass"
_VARIABLES = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "KMP_LIBRARY")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    waiting = modes.add_parser("waiting", help="threads beside other processes")
    waiting.add_argument("--seconds", type=float, default=5.0, help="of a case")
    waiting.add_argument("--rounds", type=int, default=3)
    waiting.add_argument("--case", action="store_true", help=argparse.SUPPRESS)
    loading = modes.add_parser("loading", help="threads and loader workers of a fit")
    loading.add_argument("config", type=Path)
    loading.add_argument("--root", type=Path, help="folder of the configuration's prepared source")
    loading.add_argument("--seconds", type=float, default=60.0, help="of a case")
    loading.add_argument("--rounds", type=int, default=1)
    loading.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    loading.add_argument("--generated", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode == "waiting":
        if options.case:
            print(_steps_per_second(options.seconds))
        else:
            announce()
            _compare_waiting(options.seconds, options.rounds)
    elif options.workers is not None:
        print(_images_per_second(options))
    else:
        announce()
        _compare_loading(options)


def _compare_waiting(seconds: float, rounds: int) -> None:
    """Prints a row for each number of threads, policy and number of other processes."""
    cases = [(t, policy, n) for t in THREADS for n in COMPANIONS for policy in POLICIES]
    speeds: dict[tuple[int, str, int], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for threads, policy, companions in cases:
            others = [
                subprocess.Popen([sys.executable, "-c", _BUSY, str(seconds + 120)])
                for _ in range(companions)
            ]
            try:
                words = ("waiting", "--case", f"--seconds={seconds}")
                speed = _case(words, _environment(threads, policy))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            speeds[threads, policy, companions].append(speed)
    cores = len(os.sched_getaffinity(0))
    print(f"{'threads':>7} {'others':>6} {'policy':9} {'steps/s':>8} {'of alone':>8} {'fair':>5}")
    for case in cases:
        threads, policy, companions = case
        speed, alone = (statistics.median(speeds[one]) for one in (case, (threads, policy, 0)))
        fair = min(1.0, cores / (threads + companions))
        print(
            f"{threads:7} {companions:6} {policy:9} {speed:8.2f} {speed / alone:8.2f} {fair:5.2f}"
        )


def _compare_loading(options: argparse.Namespace) -> None:
    """Prints a row for each number of threads and loader workers."""
    speeds: dict[tuple[int, int], list[float]] = {case: [] for case in LOADING}
    words = ["loading", str(options.config), f"--seconds={options.seconds}"]
    with tempfile.TemporaryDirectory() as folder:
        words.append(f"--root={options.root or folder}")
        if options.root is None:
            words.append("--generated")
        for _ in range(options.rounds):
            for threads, workers in LOADING:
                case = [*words, f"--workers={workers}"]
                speeds[threads, workers].append(_case(case, _environment(threads, "brief")))
    print(f"{'threads':>7} {'workers':>7} {'images/s':>8}")
    for (threads, workers), found in speeds.items():
        print(f"{threads:7} {workers:7} {statistics.median(found):8.1f}")


def _environment(threads: int, policy: str) -> dict[str, str]:
    """The environment of a case."""
    for name in _VARIABLES:
        os.environ.pop(name, None)
    if policy == "brief":
        set_brief_waiting()
    return dict(os.environ) | {"OMP_NUM_THREADS": str(threads)}


def _case(words: Sequence[str], environment: Mapping[str, str]) -> float:
    """The number in the last line that a process of this script prints."""
    done = subprocess.run(
        [sys.executable, __file__, *words],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def _steps_per_second(seconds: float) -> float:
    """Speed of training steps of a convolution and an LSTM, of many short operations."""
    torch.manual_seed(0)
    convolutions = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((1, 40)),
    )
    lstm = nn.LSTM(64, 128, batch_first=True)
    parameters = [*convolutions.parameters(), *lstm.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=1e-3)
    images = torch.randn(16, 1, 64, 160)
    steps, begun = 0, 0.0
    while not begun or time.perf_counter() - begun < seconds:
        columns = convolutions(images).squeeze(2).transpose(1, 2)  # (N, 40, 64)
        lstm(columns)[0].square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        if not begun and steps == 3:
            steps, begun = 0, time.perf_counter()
    return steps / (time.perf_counter() - begun)


class _Clock(Callback):
    """Counts images after some steps, and ends the fit after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = self.images = 0
        self.begun = self.ended = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: STEP_OUTPUT, batch: Any, batch_idx: int
    ) -> None:
        self.ended = time.perf_counter()
        self.steps += 1
        if self.steps > WARMUP_STEPS:
            self.images += len(batch.keys)
        elif self.steps == WARMUP_STEPS:
            self.begun = self.ended
        if self.begun and self.ended - self.begun > self.seconds:
            trainer.should_stop = True


def _images_per_second(options: argparse.Namespace) -> float:
    """Speed of a fit of a configuration, with its data."""
    settings = load_config(options.config)
    data = settings["data"] | {"root": str(options.root), "num_workers": options.workers}
    if options.generated:
        data |= {"source": "grammar", "source_args": {"size_train": 2000, "depth": 2}}
    clock = _Clock(options.seconds)
    trainer = Trainer(
        accelerator="cpu",
        precision=resolve_precision("auto", accelerator="cpu"),
        max_epochs=-1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[clock],
    )
    model = settings["model"] | {"schedule": "constant", "schedule_args": {}}
    trainer.fit(Im2Tex(**model), FormulaDataModule(**data))
    return clock.images / (clock.ended - clock.begun)


if __name__ == "__main__":
    main()
