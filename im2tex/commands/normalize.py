"""`im2tex normalize`: brings formulas to a normal form, line by line."""

from __future__ import annotations

import itertools
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from im2tex.errors import Im2TexError
from im2tex.latex.normalize import NormalizationForm
from im2tex.latex.normalize import normalize as normalize_formula
from im2tex.latex.tokens import LatexError
from im2tex.utils.text_files import decode_lines, has_wide_bom
from im2tex.utils.wording import counted

_MAX_REASONS = 10  # reasons that are reported


def normalize(*, form: str = "norm") -> int:
    """Reads one formula per line from standard input and writes its tokens, one line per line.

    A formula that cannot be parsed gives an empty line; the number of these and the reasons are
    reported on standard error, and the exit status is 1 if there is one.

    Args:
        form: normalisation form: norm, the normal form of the IM2LATEX paper; tok, its plain token
            stream; or crohme, the form of CROHME's labels.

    Returns:
        How many formulas could not be parsed.

    Raises:
        Im2TexError: if there is no such form.
    """
    try:
        chosen = NormalizationForm(form)
    except ValueError:
        known = ", ".join(NormalizationForm)
        raise Im2TexError(f"--form must be one of {known}; got {form}.") from None
    reasons: Counter[str] = Counter()
    first: dict[str, int] = {}
    total = 0
    for result, reason in normalize_lines(sys.stdin.buffer, chosen):
        total += 1
        if reason is not None:
            reasons[reason] += 1
            first.setdefault(reason, total)
        sys.stdout.buffer.write(result.encode() + b"\n")
    sys.stdout.buffer.flush()
    print(f"{reasons.total()} of {counted(total, 'formula')} could not be parsed", file=sys.stderr)
    for reason, count in reasons.most_common(_MAX_REASONS):
        print(f"  {count} x {reason}, first in line {first[reason]}", file=sys.stderr)
    if len(reasons) > _MAX_REASONS:
        print(f"  and {counted(len(reasons) - _MAX_REASONS, 'other reason')}", file=sys.stderr)
    return reasons.total()


def normalize_lines(
    lines: Iterable[bytes], form: NormalizationForm
) -> Iterator[tuple[str, str | None]]:
    r"""Brings lines to a normal form.

    Args:
        lines: formulas as bytes, see `decode_lines`. A line ends with `\n` only: an embedded `\r`
            is a space, as in IM2LATEX-100K. UTF-16 input is read to its end first.
        form: the normalisation form.

    Yields:
        For each line, its tokens separated by spaces, and None; or an empty text and why the line
        cannot be parsed. An empty line is not a failure.

    Raises:
        Im2TexError: if the lines begin as UTF-16 or UTF-32 and are not valid text of it.
    """
    for source in _decode_lines(lines):
        result, reason = "", "nothing is left of it"
        try:
            result = normalize_formula(source, form)
        except LatexError as error:
            reason = error.reason
        yield result, reason if not result and source.strip(string.whitespace) else None


def _decode_lines(lines: Iterable[bytes]) -> Iterator[str]:
    remaining = iter(lines)
    first = next(remaining, b"")
    if has_wide_bom(first):
        first = b"".join([first, *remaining])  # a line end of UTF-16 has more than one byte
    for part in itertools.chain([first], remaining):
        yield from decode_lines(part, "standard input")
