"""Measures the processor time of commands before their own work, relative to `import torch`.

    python benchmarks/startup.py

Prints the median and the ratio of each. Each command runs in a separate process, in turns.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from statistics import median

from header import announce

COMMANDS = {
    "import torch": ["-c", "import torch"],
    "im2tex read, up to the model": ["-c", "import im2tex.model.recognizer"],
    "im2tex fit, up to the trainer": ["-c", "import im2tex.commands.trainer.run"],
    "im2tex --help": ["-m", "im2tex", "--help"],
    "im2tex test without --ckpt_path": ["-m", "im2tex", "test"],
    "im2tex fit with an unknown flag": ["-m", "im2tex", "fit", "--model.encodr", "row_cnn"],
    "im2tex fit with a missing file": ["-m", "im2tex", "fit", "--config", "missing.yaml"],
    "im2tex read of a missing file": ["-m", "im2tex", "read", "missing.png"],
}


def processor_time(arguments: list[str]) -> float:
    """Seconds of user and system time of a Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    announce()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():  # the first run caches the files
        processor_time(arguments)
    for _ in range(args.runs):
        for name, arguments in COMMANDS.items():
            seconds[name].append(processor_time(arguments))
    base = median(seconds["import torch"])
    print(f"{'':34} {'seconds':>8} {'ratio':>6}   (medians of {args.runs})")
    for name, values in seconds.items():
        print(f"{name:34} {median(values):8.2f} {median(values) / base:6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
