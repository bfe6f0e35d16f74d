"""Runs of LaTeX: what it knows of its surroundings, its format, and which formula it stopped at.

For the renderer (`renderer`) and for layouts (`layout.tex`), which set the same pages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.render.rendering import Cause, Failure
from im2tex.render.tex import sandbox

INSTALL = (
    "apt-get install --no-install-recommends texlive-latex-base texlive-latex-recommended "
    "texlive-fonts-recommended dvipng"
)
"""How to get it on Debian and Ubuntu."""

LATEX = (
    "latex",
    "-fmt=im2tex",
    "-interaction=nonstopmode",
    "-halt-on-error",
    "-no-shell-escape",
    "-no-mktex=tfm",
)
"""Runs a file with the format that `make_format` makes."""

_ERROR = re.compile(r"^! (.*(?:\n(?!l\.\d|<|\s*$).*)?)", re.MULTILINE)
_LINE = re.compile(r"^l\.(\d+)", re.MULTILINE)
_MARK = re.compile(r"\[(\d+)\]")
# What TeX says of a page stands in front of the page's mark.
_SAID = re.compile(
    r"^Missing character: There is no (?P<character>.*) in font (?P<font>\S+)!"
    r"|^LaTeX Warning: Command (?P<command>.+) invalid in math mode"
    r"|\[(?P<page>\d+)\]",
    re.MULTILINE,
)
_SECONDS = 4  # of processor time for one formula; the bound on its work is far below
_PER_SECOND = 25  # formulas of a batch: usually a tenth of this


def environment() -> dict[str, str]:
    """All that the programs know of their surroundings.

    TeX reads `, ; : { } $ ~` in the name of a folder as its own, so that no folder is named but
    relative to the one where a program runs: two below that of the format, with nothing in it.
    """
    nowhere = "nowhere"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": nowhere,
        "TMPDIR": nowhere,
        "TEXMFHOME": nowhere,
        "TEXMFVAR": nowhere,
        "TEXMFCONFIG": nowhere,
        "TEXINPUTS": ".",
        "TEXFORMATS": "../..",
        "openin_any": "p",
        "openout_any": "p",
        "shell_escape": "f",
        "MKTEXPK": "0",
        "MKTEXTFM": "0",
        "MKTEXMF": "0",
        "MKTEXFMT": "0",
        "max_print_line": "1000",
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
    }


def make_format(
    preamble: str, folder: Path, environment: Mapping[str, str], limits: sandbox.SandboxLimits
) -> sandbox.ProgramResult | None:
    """Makes the format `im2tex.fmt` of a preamble, for `LATEX` to start from.

    Returns:
        None, or how it ended where there is no format.
    """
    (folder / "im2tex.tex").write_text(preamble, encoding="utf-8")
    command = ["latex", "-ini", "-interaction=nonstopmode", "-halt-on-error"]
    # The packages are found where TeX keeps them.
    where = {k: v for k, v in environment.items() if k not in ("TEXINPUTS", "TEXFORMATS")}
    outcome = sandbox.run(
        [*command, "-no-shell-escape", "&latex", "im2tex.tex"], folder, where, limits
    )
    return outcome if outcome.status or not (folder / "im2tex.fmt").exists() else None


def blame(
    numbers: Sequence[int], done: Collection[int], outcome: sandbox.ProgramResult
) -> tuple[int, Failure, bool]:
    """The page that TeX stopped at, why, and whether another's markup may be the reason.

    Args:
        numbers: of the batch's pages, in the order in which they stand, a line each.
        done: of those that are complete.
        outcome: of the run.
    """
    if outcome.killed:
        # The marks of finished pages are flushed one by one, the pages themselves are not.
        reached = {int(mark) for mark in _MARK.findall(outcome.output)} | set(done)
        number = next((n for n in numbers if n not in reached), numbers[0])
        return number, Failure(Cause.LIMIT, "TeX took too much time or memory"), True
    number = next(n for n in numbers if n not in done)
    failure = said(outcome)
    line = _LINE.search(outcome.output)
    own = line is not None and int(line[1]) == numbers.index(number) + 1
    return number, failure, failure.cause is Cause.LIMIT or not own


def lost(output: str) -> dict[int, Failure]:
    """The pages that lack a part of their formula, though TeX reports no error.

    Args:
        output: of the run.

    Returns:
        The first loss of each page by its number.
    """
    found: dict[int, Failure] = {}
    reason = ""
    for match in _SAID.finditer(output):
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


def limits_for(formulas: int, limits: sandbox.SandboxLimits) -> sandbox.SandboxLimits:
    """What a run may take: less time where there are few formulas.

    Args:
        formulas: how many there are.
        limits: what any run may take at most.
    """
    seconds = min(limits.seconds, _SECONDS + formulas // _PER_SECOND)
    return replace(limits, seconds=seconds)


def said(outcome: sandbox.ProgramResult) -> Failure:
    """TeX's first error, in its words.

    Raises:
        Im2TexError: if it ended without one: then it is no formula's fault.
    """
    match = _ERROR.search(outcome.output)
    if match is None:
        if outcome.status:
            last = " ".join(outcome.output.split()[-30:])
            raise Im2TexError(
                f"engine tex: latex ended with status {outcome.status} without an error of a "
                f"formula's; is the disk full? It said: {last[-300:]}"
            )
        return Failure(Cause.TEX, "TeX drew no page for it")
    reason = " ".join(match[1].split()).replace("\\imformula", "the formula")[:200]
    limit = "TeX capacity exceeded" in reason
    return Failure(Cause.LIMIT if limit else Cause.TEX, reason)
