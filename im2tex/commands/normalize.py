"""`im2tex normalize`: formulas in one form, line for line."""

from __future__ import annotations

import itertools
import os
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from im2tex.errors import Im2TexError
from im2tex.latex.normalize import NormalizationForm, normalize
from im2tex.latex.tokens import LatexError
from im2tex.utils.text_files import decode_lines, has_wide_bom

_NAMED = 10  # reasons that are told one by one


@dataclass
class Refused:
    """Lines for which there is no form.

    Attributes:
        counts: how many by reason.
        first: the first line of each reason, from 1.
    """

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, reason: str) -> None:
        """Counts one more."""
        self.counts[reason] += 1
        self.first.setdefault(reason, line)

    def lines(self) -> Iterator[str]:
        """The reasons in words, the most frequent ones first."""
        for reason, count in self.counts.most_common(_NAMED):
            yield f"  {count} x {reason}, first in line {self.first[reason]}"
        if len(self.counts) > _NAMED:
            yield f"  and {len(self.counts) - _NAMED} other reasons"


def normalize_lines(
    lines: Iterable[bytes],
    output: BinaryIO,
    mode: NormalizationForm,
    refused: Refused | None = None,
) -> tuple[int, int]:
    r"""Writes a line for each line.

    Args:
        lines: formulas as bytes, see `decode_lines`; they end with `\n` and nothing else: an
            embedded `\r` is a space, as in IM2LATEX-100K. Lines in UTF-16 are read to their end
            before the first is written.
        output: gets the normal forms in UTF-8, with an empty line for each that cannot be parsed.
        mode: the form.
        refused: gets the reasons for those.

    Returns:
        How many lines could not be parsed, and how many there were. An empty line is no failure.

    Raises:
        Im2TexError: if lines begin as UTF-16 or UTF-32 and are not.
    """
    refused = Refused() if refused is None else refused
    failed = total = 0
    for source in _decoded(lines):
        total += 1
        result, reason = "", "nothing is left of it"
        try:
            result = normalize(source, mode)
        except LatexError as error:
            reason = error.reason
        if not result and source.strip(string.whitespace):
            failed += 1
            refused.add(total, reason)
        output.write(result.encode() + b"\n")
    return failed, total


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    coming = iter(lines)
    first = next(coming, b"")
    if has_wide_bom(first):
        first = b"".join([first, *coming])  # a wide line end is more than a byte
    for part in itertools.chain([first], coming):
        yield from decode_lines(part, "standard input")


def normalize_stream(mode: str) -> None:
    """Normalises standard input to standard output, and says on standard error what failed.

    Args:
        mode: a value of `NormalizationForm`.

    Raises:
        Im2TexError: for another mode.
    """
    try:
        form = NormalizationForm(mode)
    except ValueError:
        known = ", ".join(NormalizationForm)
        raise Im2TexError(f"--mode {mode}: the forms are {known}") from None
    try:
        refused = Refused()
        failed, total = normalize_lines(sys.stdin.buffer, sys.stdout.buffer, form, refused)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough (`| head`); Python must not complain when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    print(f"{failed} of {total} formulas could not be parsed", file=sys.stderr)
    for said in refused.lines():
        print(said, file=sys.stderr)
