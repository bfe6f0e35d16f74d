"""Files written whole or not at all, and what a killed writer leaves behind."""

import fcntl
import multiprocessing
import os
import signal

import pytest

from im2tex.utils.files import atomic_write


def gone():
    """The number of a process that there is no more."""
    process = multiprocessing.get_context("fork").Process(target=lambda: None)
    process.start()
    process.join()
    return process.pid


def write(path, text):
    with atomic_write(path) as part:
        part.write_text(text)


def begins(path, ready):
    with atomic_write(path) as part:
        part.write_text("half")
        ready.set()
        signal.pause()


def test_a_killed_writers_part_is_removed_by_the_next(tmp_path):
    context = multiprocessing.get_context("fork")
    path, ready = tmp_path / "last.ckpt", context.Event()
    process = context.Process(target=begins, args=(path, ready))
    process.start()
    assert ready.wait(60)
    write(path, "one")  # beside a writer at work, whose part stays
    assert len(os.listdir(tmp_path)) == 2
    process.kill()
    process.join()
    write(path, "two")
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert path.read_text() == "two"


def test_a_part_of_a_living_process_or_under_a_lock_stays(tmp_path):
    path = tmp_path / "a"
    alive = tmp_path / f".a.{os.getppid()}.part"
    locked = tmp_path / f".a.{gone()}.part"
    alive.touch()
    locked.touch()
    with locked.open() as file:  # of a process that this one cannot see, in a container
        fcntl.flock(file, fcntl.LOCK_SH)
        write(path, "x")
        assert alive.exists()
        assert locked.exists()
    os.utime(alive, (0, 0))  # the number is another process's by now
    write(path, "y")
    assert os.listdir(tmp_path) == ["a"]


def test_other_files_stay(tmp_path):
    names = [f".b.{gone()}.part", ".a.x.part", ".a.1.2.part", "a.1.part"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".a.{gone()}.part").symlink_to("b")
    write(tmp_path / "a", "x")
    assert {*names, "a"} <= set(os.listdir(tmp_path))


def test_an_error_leaves_what_was_there(tmp_path):
    write(tmp_path / "a", "one")
    with pytest.raises(TypeError):
        write(tmp_path / "a", None)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "one"
