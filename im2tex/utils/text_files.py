"""Reads text files; a byte order mark determines the encoding."""

from __future__ import annotations

import codecs
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.files import read_regular_file, wrap_os_errors

MAX_BYTES = 1 << 30
"""Largest size of a text file in bytes."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_ADVICE = "Save it as UTF-8."


def read_text(path: Path) -> str:
    """Reads a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: a regular file, `/dev/stdin` or `/dev/fd/N`.

    Returns:
        The text without the byte order mark, with the line ends of the file.

    Raises:
        Im2TexError: if the file cannot be read (see `read_bytes`) or decoded.
    """
    return decode_text(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a file; see `decode_lines`.

    Raises:
        Im2TexError: if the file cannot be read or decoded.
    """
    return decode_lines(read_bytes(path), path)


def decode_lines(raw: bytes, name: str | Path) -> list[str]:
    """Decodes lines that end with LF; formulas of some data sets contain carriage returns.

    Args:
        raw: content of the file, in UTF-16 or UTF-32 with a byte order mark, or else in UTF-8 or,
            for a line that is not valid UTF-8, Latin-1.
        name: name of the file, for messages.

    Raises:
        Im2TexError: if a file with a byte order mark is not valid text.
    """
    if has_wide_bom(raw):
        lines = decode_text(raw, name).split("\n")
    else:
        lines = [_line(line) for line in raw.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    if not lines[-1]:
        lines.pop()
    return lines


def has_wide_bom(raw: bytes) -> bool:
    """Whether bytes start with the byte order mark of UTF-16 or UTF-32, as from PowerShell."""
    return raw.startswith(tuple(mark for mark, known in _MARKS if known != "utf-8-sig"))


def _line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def decode_text(raw: bytes, name: str | Path) -> str:
    """Decodes the bytes of a text file; see `read_text`.

    Args:
        raw: content of the file.
        name: name of the file, for messages.

    Raises:
        Im2TexError: if the bytes are not valid text.
    """
    encoding = next((known for mark, known in _MARKS if raw.startswith(mark)), "utf-8")
    label = encoding.removesuffix("-sig").upper()
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise Im2TexError(
            f"{name} is not text in {label}: {error.reason} at byte {error.start}. {_ADVICE}"
        ) from error
    if "\0" in text:
        raise Im2TexError(
            f"{name} is not text: it has NUL bytes and no byte order mark of UTF-16. {_ADVICE}"
            if label == "UTF-8"
            else f"{name} is not text: it has NUL characters. {_ADVICE}"
        )
    return text


def read_bytes(path: Path) -> bytes:
    """Reads a file.

    Raises:
        Im2TexError: if it cannot be opened, is no regular file, or is larger than `MAX_BYTES`.
    """
    with wrap_os_errors(f"read {path}", errors=(OSError, ValueError)):  # ValueError: NUL in a name
        if str(path).startswith(("/dev/fd/", "/dev/stdin")):  # a shell's pipe, which has a writer
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        else:
            raw = read_regular_file(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise Im2TexError(f"{path} is larger than {MAX_BYTES} bytes, the limit for a text file.")
    return raw
