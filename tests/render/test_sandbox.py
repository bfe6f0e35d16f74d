"""The limits of programs, with programs that exceed them."""

import os
import sys
import time

import pytest

from im2tex.render.tex.sandbox import SandboxLimits, run

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def python(code, folder, **limits):
    return run([sys.executable, "-S", "-c", code], folder, ENVIRONMENT, SandboxLimits(**limits))


def test_run_returns_output_and_status(tmp_path):
    outcome = python("print('hello'); raise SystemExit(3)", tmp_path)
    assert (outcome.output, outcome.killed, outcome.status) == ("hello\n", False, 3)


def test_run_passes_only_the_given_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("IM2TEX_SECRET", "secret")
    assert "secret" not in python("import os; print(dict(os.environ))", tmp_path).output


def test_run_limits_processor_time(tmp_path):
    started = time.monotonic()
    assert python("while True: pass", tmp_path, seconds=1).killed
    assert time.monotonic() - started < 60


def test_run_limits_waiting_and_kills_children(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    if os.getuid():
        pytest.skip("may not start another process to begin with: only root can here")
    outcome = python(code, tmp_path, wall_seconds=2.0)
    assert outcome.killed
    child = int(outcome.output.split()[0])
    for _ in range(100):
        # Gone, or dead and waiting to be collected by whoever adopted it.
        try:
            with open(f"/proc/{child}/stat", encoding="ascii") as stat:
                state = stat.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: others ignore the limit")
def test_run_limits_memory(tmp_path):
    outcome = python("x = bytearray(1 << 30)", tmp_path, megabytes=300)
    assert outcome.status != 0
    assert "MemoryError" in outcome.output


def test_run_limits_file_size(tmp_path):
    outcome = python("open('x', 'wb').write(bytes(5 << 20))", tmp_path, file_megabytes=1)
    assert outcome.status != 0
    assert (tmp_path / "x").stat().st_size <= 2 << 20  # sh counts 512 or 1024 bytes a block
