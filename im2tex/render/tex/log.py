"""Reads the terminal output of TeX: which formula failed, and why."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from im2tex.errors import Im2TexError
from im2tex.render.rendering import Cause, Failure
from im2tex.render.tex.sandbox import ProgramResult

_ERROR = re.compile(r"^! (.*(?:\n(?!l\.\d|<|\s*$).*)?)", re.MULTILINE)
_LINE = re.compile(r"^l\.(\d+)", re.MULTILINE)
_PAGE = re.compile(r"\[(\d+)\]")
# The messages about a page stand in front of its number.
_MESSAGE = re.compile(
    r"^Missing character: There is no (?P<character>.*) in font (?P<font>\S+)!"
    r"|^LaTeX Warning: Command (?P<command>.+) invalid in math mode"
    r"|\[(?P<page>\d+)\]",
    re.MULTILINE,
)


def find_failed_page(
    numbers: Sequence[int], complete: Collection[int], result: ProgramResult
) -> tuple[int, Failure, bool]:
    """Finds the page at which TeX stopped.

    Args:
        numbers: page numbers in the order of the source, which has a line for each.
        complete: numbers of the pages that TeX finished.
        result: of the run of TeX.

    Returns:
        The page's number, the reason, and whether the markup of another page may be the cause.
    """
    if result.killed:
        # Page numbers are flushed to the terminal one by one, the pages themselves are not.
        reached = {int(number) for number in _PAGE.findall(result.output)} | set(complete)
        failed = next((number for number in numbers if number not in reached), numbers[0])
        return failed, Failure(Cause.LIMIT, "TeX took too much time or memory"), True
    failed = next(number for number in numbers if number not in complete)
    failure = first_error(result)
    line = _LINE.search(result.output)
    in_own_line = line is not None and int(line[1]) == numbers.index(failed) + 1
    return failed, failure, failure.cause is Cause.LIMIT or not in_own_line


def incomplete_pages(output: str) -> dict[int, Failure]:
    """Returns the pages that lack a part of their formula though TeX reports no error.

    Args:
        output: of the run of TeX.

    Returns:
        The first defect of each page, by page number.
    """
    found: dict[int, Failure] = {}
    reason = ""
    for match in _MESSAGE.finditer(output):
        if match["page"]:
            if reason:
                found[int(match["page"])] = Failure(Cause.TEX, reason)
            reason = ""
        elif not reason and match["font"]:
            character = match["character"].encode("unicode_escape").decode()
            reason = f"the font {match['font']} has no character {character[:20]}"
        elif not reason:
            reason = f"{match['command'][:40]} cannot be drawn in math"
    return found


def first_error(result: ProgramResult) -> Failure:
    """Returns TeX's first error message.

    Raises:
        Im2TexError: if TeX failed without an error message, so that no formula is the cause.
    """
    match = _ERROR.search(result.output)
    if match is None:
        if result.status:
            last = " ".join(result.output.split()[-30:])
            raise Im2TexError(
                f"engine tex: latex ended with status {result.status} and no TeX error; is the "
                f"disk full? Its last output: {last[-300:]}"
            )
        return Failure(Cause.TEX, "TeX drew no page for it")
    reason = " ".join(match[1].split()).replace("\\imformula", "the formula")[:200]
    limit = "TeX capacity exceeded" in reason
    return Failure(Cause.LIMIT if limit else Cause.TEX, reason)
