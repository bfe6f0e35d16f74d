"""Atomic writes, and messages for errors of the file system."""

import multiprocessing
import os
import signal

import pytest

from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write, wrap_os_errors


def ended_process():
    """The number of a process that has ended."""
    process = multiprocessing.get_context("fork").Process(target=lambda: None)
    process.start()
    process.join()
    return process.pid


def write(path, text):
    with atomic_write(path) as part:
        part.write_text(text)


def write_half(path, ready):
    with atomic_write(path) as part:
        part.write_text("half")
        ready.set()
        signal.pause()


def test_atomic_write_part_of_killed_writer_is_removed_by_the_next(tmp_path):
    context = multiprocessing.get_context("fork")
    path, ready = tmp_path / "last.ckpt", context.Event()
    process = context.Process(target=write_half, args=(path, ready))
    process.start()
    assert ready.wait(60)
    write(path, "one")  # beside a writer at work, whose part stays
    assert len(os.listdir(tmp_path)) == 2
    process.kill()
    process.join()
    write(path, "two")
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert path.read_text() == "two"


def test_atomic_write_part_of_running_process_stays_for_a_day(tmp_path):
    path = tmp_path / "a"
    running = tmp_path / f".a.{os.getppid()}.part"
    running.touch()
    write(path, "x")
    assert running.exists()
    os.utime(running, (0, 0))  # the number is another process's by now
    write(path, "y")
    assert os.listdir(tmp_path) == ["a"]


def test_atomic_write_other_files_stay(tmp_path):
    names = [f".b.{ended_process()}.part", ".a.x.part", ".a.1.2.part", "a.1.part"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".a.{ended_process()}.part").symlink_to("b")
    write(tmp_path / "a", "x")
    assert {*names, "a"} <= set(os.listdir(tmp_path))


def test_atomic_write_error_leaves_earlier_file(tmp_path):
    write(tmp_path / "a", "one")
    with pytest.raises(TypeError):
        write(tmp_path / "a", None)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "one"


def test_wrap_os_errors_message_has_action_reason_and_advice(tmp_path):
    with (
        pytest.raises(Im2TexError, match=r"^cannot read a: No such file or directory\. Make it\.$"),
        wrap_os_errors("read a", "Make it."),
    ):
        (tmp_path / "a").read_bytes()


def test_wrap_os_errors_other_exceptions_pass():
    with pytest.raises(KeyError), wrap_os_errors("read a"):
        {}["a"]
    with (
        pytest.raises(Im2TexError, match="cannot read a: KeyError"),
        wrap_os_errors("read a", errors=(KeyError,)),
    ):
        raise KeyError
