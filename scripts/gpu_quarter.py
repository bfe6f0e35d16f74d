"""A queue of fits for the minutes of a borrowed GPU; `gpu_quarter.sh` starts it.

Probes measure the speed of every model on every source. Each fit then gets a share of the time that
is left, and as many steps as it can make in it, so that its schedule ends in time. Weights, logs
and predictions are copied to OUT every two minutes; a call that finds them there goes on.
docs/borrowed_gpu.md describes the queue and the files.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from pathlib import Path

from quarter_processes import missing_packages, preload


def main() -> int:
    """Parses the command line and works through the queue."""
    missing = missing_packages()
    if missing:
        print(
            f"gpu_quarter: {sys.executable} lacks {', '.join(missing)}: carry them as wheels, see "
            "the head of scripts/gpu_quarter.sh",
            file=sys.stderr,
        )
        return 2
    preload()
    from quarter_plan import RUNS, Options  # noqa: PLC0415
    from quarter_queue import Queue  # noqa: PLC0415
    from quarter_weights import join_weights  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="gpu_quarter.sh")
    parser.add_argument("pack", type=Path, help="file of `im2tex data pack crohme handwriting`")
    parser.add_argument("out", type=Path, help="folder of the results, at most eight files")
    parser.add_argument("seconds", type=float, nargs="?", help="time of this call (default: 540)")
    parser.add_argument("--total", type=float, help="time of all calls (default: 750)")
    parser.add_argument("--runs", default=",".join(RUNS), help="runs of the queue, in order")
    parser.add_argument("--flags", default="", help="further flags of all fits, in quotes")
    parser.add_argument("--rehearse", action="store_true", help="toy sizes on a CPU, two calls")
    parser.add_argument("--join", type=Path, metavar="FOLDER", help="write checkpoints and end")
    given = parser.parse_args()
    if given.join is not None:
        return join_weights(given.out, given.join)
    runs = given.runs.split(",")
    if not set(runs) <= set(RUNS):
        parser.error(f"--runs must be of {', '.join(RUNS)}; got {given.runs}")
    seconds = given.seconds or (240.0 if given.rehearse else 540.0)
    total = given.total or (seconds if given.rehearse else max(seconds, 750.0))
    given.out.mkdir(parents=True, exist_ok=True)
    options = Options(given.pack.resolve(), given.out, seconds, total, runs, given.rehearse)
    options.flags = shlex.split(given.flags)
    if given.rehearse and any(given.out.iterdir()):
        parser.error(f"--rehearse needs an empty folder; {given.out} is not")
    if not given.rehearse:
        return Queue(options).work_through()
    for interrupted in (options.fits[-1].name, None):
        options.interrupted = interrupted
        shutil.rmtree(options.work, ignore_errors=True)  # the machine is another one
        options.started = time.monotonic()
        print("rehearsal of a call" + (" that is interrupted" if options.interrupted else ""))
        status = Queue(options).work_through()
        if status > 128:
            break
    shutil.rmtree(options.work, ignore_errors=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
