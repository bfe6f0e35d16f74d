"""Commands whose output is not read to its end, as with `| head`."""

import io
import os
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout

import pytest

from im2tex import cli
from im2tex.utils.output import ignore_broken_pipe


@contextmanager
def unread_output():
    """Standard output is a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream, redirect_stdout(stream):
        yield


def test_command_with_unread_output_ends_as_by_sigpipe():
    with unread_output():
        assert cli.main(["components"]) == 141
        print("later output is discarded", flush=True)


def test_broken_pipe_other_than_output_is_raised(monkeypatch, tmp_path):
    def run(arguments):
        raise BrokenPipeError("of a worker")

    monkeypatch.setattr(cli, "_run", run)
    with (tmp_path / "file").open("w") as file:
        for stream in (io.StringIO(), file, None):
            with redirect_stdout(stream), pytest.raises(BrokenPipeError, match="of a worker"):
                cli.main([])


def test_work_after_unread_output_is_done():
    with unread_output():
        with ignore_broken_pipe():
            print("nobody reads this")
        print("nor this", flush=True)


@pytest.mark.parametrize(
    ("command", "status"),
    [(["components"], 141), (["normalize"], 141), (["--help"], 0)],  # argparse ignores the error
)
def test_process_with_unread_output_prints_no_traceback(command, status):
    formulas = b"x^2\n" * 20_000  # more than a pipe holds
    process = subprocess.Popen(
        [sys.executable, "-m", "im2tex", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()  # before anything is printed
    _, errors = process.communicate(formulas if command == ["normalize"] else b"")
    assert process.returncode == status
    assert errors == b""
