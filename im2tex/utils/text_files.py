"""Reading a text file that somebody else wrote: its encoding is told by its byte order mark."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from im2tex.errors import Im2TexError

MAX_BYTES = 1 << 30
"""Bytes of the largest text file that is read into memory."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_HOW = "Save it as UTF-8."


def read_text(path: Path) -> str:
    """Reads a text file: UTF-8, or UTF-16 and UTF-32 where the file begins with their mark.

    Args:
        path: a regular file, or what a shell gives a command to read from (`/dev/stdin`,
            `/dev/fd/N`).

    Returns:
        The text without the byte order mark. Line ends are as in the file.

    Raises:
        Im2TexError: if the file cannot be opened, is a folder, a pipe or a device, is larger than
            `MAX_BYTES`, or is not text in one of these encodings.
    """
    return decode_text(read_bytes(path), path)


def read_lines(path: Path) -> list[str]:
    """Reads a file of formulas, a line each; see `decode_lines`.

    Raises:
        Im2TexError: if the file cannot be read, see `read_text`.
    """
    return decode_lines(read_bytes(path), path)


def decode_lines(raw: bytes, name: str | Path) -> list[str]:
    """Decodes lines, which end with LF alone: data sets have a carriage return inside of formulas.

    Args:
        raw: the whole file: UTF-16 or UTF-32 where it begins with their mark, else UTF-8, with
            Latin-1 for a line that is not.
        name: of the file, for messages.

    Raises:
        Im2TexError: if the file has a mark of UTF-16 or UTF-32 and is not text in it.
    """
    if has_wide_bom(raw):
        lines = decode_text(raw, name).split("\n")
    else:
        lines = [_line(line) for line in raw.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    if not lines[-1]:
        lines.pop()
    return lines


def has_wide_bom(raw: bytes) -> bool:
    """Whether bytes begin with the mark of UTF-16 or UTF-32, as PowerShell writes it."""
    return raw.startswith(tuple(mark for mark, known in _MARKS if known != "utf-8-sig"))


def _line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def decode_text(raw: bytes, name: str | Path) -> str:
    """Decodes the bytes of a text file; see `read_text`.

    Args:
        raw: the whole file.
        name: of the file, for messages.

    Raises:
        Im2TexError: if the bytes are not text in one of the encodings.
    """
    encoding = next((known for mark, known in _MARKS if raw.startswith(mark)), "utf-8")
    label = encoding.removesuffix("-sig").upper()
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise Im2TexError(
            f"{name} is not text in {label}: {error.reason} at byte {error.start}. {_HOW}"
        ) from error
    if "\0" in text:
        raise Im2TexError(
            f"{name} is not text: it has NUL bytes and no byte order mark of UTF-16. {_HOW}"
            if label == "UTF-8"
            else f"{name} is not text: it has NUL characters. {_HOW}"
        )
    return text


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        Im2TexError: if it cannot be opened, is no regular file, or is larger than `MAX_BYTES`.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise Im2TexError(f"{path} is a folder; a text file was expected.")
        # A named pipe without a writer would block for ever; the shell's own ones have a writer.
        if not stat.S_ISREG(mode) and not str(path).startswith(("/dev/fd/", "/dev/stdin")):
            raise Im2TexError(f"{path} is a pipe or a device; a text file was expected.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise Im2TexError(f"cannot read {path}: {reason}.") from error
    if len(raw) > MAX_BYTES:
        raise Im2TexError(
            f"{path} is larger than {MAX_BYTES} bytes, the most that is read as text."
        )
    return raw
