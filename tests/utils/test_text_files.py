"""Text files in the encodings that people's programs write."""

import os

import pytest

from im2tex.errors import Im2TexError
from im2tex.utils import text_files
from im2tex.utils.text_files import read_text

TEXT = "a.png\tx^{2}\r\nb.png\té \u2212 \U0001d465\n"


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-32",
        "utf-16-le+",
        "utf-16-be+",
        "utf-32-le+",
        "utf-32-be+",
    ],
)
def test_read_text_every_marked_encoding_gives_the_text(tmp_path, encoding):
    marked = "\ufeff" + TEXT if encoding.endswith("+") else TEXT
    (tmp_path / "a.txt").write_bytes(marked.encode(encoding.removesuffix("+")))
    assert read_text(tmp_path / "a.txt") == TEXT


def test_read_text_empty_file_gives_nothing(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    assert read_text(tmp_path / "a.txt") == ""


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("é".encode("latin-1"), "not text in UTF-8.* at byte 0"),
        ("x^2\n".encode("utf-16-le"), "no byte order mark"),
        (b"\xff\xfea\0b", "not text in UTF-16"),
        (b"\xff\xfe\0\xd8", "not text in UTF-16"),  # half a surrogate pair
        (b"\xff\xfe\0\0\0\0\x11\0", "not text in UTF-32"),  # beyond Unicode
        ("a\0b".encode("utf-16"), "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not text"),
    ],
)
def test_read_text_other_bytes_are_a_named_error(tmp_path, raw, message):
    (tmp_path / "a.txt").write_bytes(raw)
    with pytest.raises(Im2TexError, match=rf"a\.txt.*{message}") as caught:
        read_text(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(20)
def test_read_text_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "broken.txt").symlink_to("nowhere")
    for name, message in [
        ("pipe.txt", "it is a named pipe"),
        ("loop.txt", "symbolic links"),
        ("broken.txt", "a link to nowhere, which does not exist"),
        ("", "a folder"),
        ("nul\0.txt", "cannot read"),
    ]:
        with pytest.raises(Im2TexError, match=message):
            read_text(tmp_path / name)


def test_read_text_pipe_of_the_shell_is_read():
    reading, writing = os.pipe()
    os.write(writing, b"x\n")
    os.close(writing)
    assert read_text(text_files.Path(f"/dev/fd/{reading}")) == "x\n"
    os.close(reading)


def test_read_text_too_large_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_BYTES", 3)
    (tmp_path / "a.txt").write_bytes(b"xyz")
    assert read_text(tmp_path / "a.txt") == "xyz"
    (tmp_path / "a.txt").write_bytes(b"wxyz")
    with pytest.raises(Im2TexError, match="larger than 3 bytes"):
        read_text(tmp_path / "a.txt")
