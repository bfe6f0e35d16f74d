"""The lazy map in worker processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from im2tex.errors import Im2TexError
from im2tex.utils.processes import lazy_map

_PARENT = """
import os, time
from im2tex.utils.processes import lazy_map

def process(number):
    return os.getpid()

for pid in lazy_map(process, range(100), 2):
    print(pid, flush=True)
    time.sleep(0.2)
"""


def _square(number: int) -> int:
    time.sleep(0.02 if number % 2 else 0)  # later items finish earlier
    return number * number


def _die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_lazy_map_results_are_in_order(num_workers):
    assert list(lazy_map(_square, range(40), num_workers)) == [i * i for i in range(40)]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_lazy_map_reads_only_some_items_in_advance(num_workers):
    read = []
    items = (read.append(number) or number for number in range(1000))
    results = lazy_map(_square, items, num_workers)
    next(results)
    assert len(read) == (9 if num_workers else 1)
    results.close()
    assert len(read) < 10


def test_lazy_map_killed_worker_raises():
    with pytest.raises(Im2TexError, match=r"a worker process has ended without a result"):
        list(lazy_map(_die, [1, 2, 3], 1))


def test_workers_end_after_parent_is_killed():
    process = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while _is_running(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _is_running(worker)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
