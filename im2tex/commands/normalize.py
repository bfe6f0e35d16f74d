"""`im2tex normalize`: formulas in one form, line for line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import BinaryIO

from im2tex.errors import Im2TexError
from im2tex.latex.normalize import Mode, normalize_or_none


def normalize_lines(lines: Iterable[bytes], output: BinaryIO, mode: Mode) -> tuple[int, int]:
    r"""Writes a line for each line.

    Args:
        lines: formulas as bytes, in UTF-8 or else in Latin-1, ending with `\n` and nothing else:
            an embedded `\r` is a space, as in IM2LATEX-100K.
        output: gets the normal forms in UTF-8, with an empty line for each that cannot be parsed.
        mode: the form.

    Returns:
        How many lines could not be parsed, and how many there were. An empty line is no failure.
    """
    failed = total = 0
    for line in lines:
        total += 1
        try:
            source = line.decode("utf-8")
        except UnicodeDecodeError:
            source = line.decode("latin-1")
        result = normalize_or_none(source, mode)
        failed += result is None and bool(line.strip())
        output.write((result or "").encode() + b"\n")
    return failed, total


def normalize_stream(mode: str) -> None:
    """Normalises standard input to standard output, and says on standard error what failed.

    Args:
        mode: a value of `Mode`.

    Raises:
        Im2TexError: for another mode.
    """
    try:
        form = Mode(mode)
    except ValueError:
        known = ", ".join(Mode)
        raise Im2TexError(f"--mode {mode}: the forms are {known}") from None
    try:
        failed, total = normalize_lines(sys.stdin.buffer, sys.stdout.buffer, form)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough (`| head`); Python must not complain when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    print(f"{failed} of {total} formulas could not be parsed", file=sys.stderr)
