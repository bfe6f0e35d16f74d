"""Tests of `walk`: links are followed once, and no file that could block is opened."""

import os

import pytest

from im2tex.data.preparation.raw_files import iter_files
from im2tex.data.preparation.walking import walk


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "in"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "a.inkml").write_bytes(b"A")
    return place


def found(folder, **arguments):
    return {file.name: file.problem for file in walk(folder, **arguments)}


def test_walk_follows_links_once(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.inkml").write_bytes(b"B")
    (folder / "again").symlink_to("sub")
    (folder / "file.inkml").symlink_to("sub/a.inkml")
    (folder / "linked").symlink_to(outside)
    (folder / "linked2").symlink_to(outside)
    (outside / "back").symlink_to(folder)
    (folder / "sub" / "here").symlink_to(".")
    assert found(folder) == {"file.inkml": "", "sub/a.inkml": "", "linked/b.inkml": ""}


@pytest.mark.timeout(30)
def test_walk_unreadable_files_have_problems(folder):
    (folder / "broken.inkml").symlink_to("nowhere")
    (folder / "loop.inkml").symlink_to("loop.inkml")
    (folder / "up").symlink_to("../..")
    os.mkfifo(folder / "pipe.inkml")
    (folder / os.fsdecode(b"\xe9.inkml")).write_bytes(b"E")
    problems = found(folder)
    assert problems.pop("sub/a.inkml") == ""
    assert {name: " ".join(text.split()[-3:]) for name, text in problems.items()} == {
        "broken.inkml": "not a file",
        "loop.inkml": "not a file",
        "up": "holds this one",
        "pipe.inkml": "not a file",
        "\\xe9.inkml": "UTF-8: rename it",
    }
    assert all(file.problem for file in iter_files(folder) if file.data is None)
    assert [file.data for file in iter_files(folder)].count(None) == 5


def test_walk_hidden_false_skips_hidden_files(folder):
    (folder / ".b.inkml").write_bytes(b"")
    (folder / ".git").mkdir()
    (folder / ".git" / "c.inkml").write_bytes(b"")
    assert set(found(folder, hidden=False)) == {"sub/a.inkml"}
    assert set(found(folder)) == {".b.inkml", ".git/c.inkml", "sub/a.inkml"}
