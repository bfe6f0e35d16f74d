"""Measures the extraction of formulas from LaTeX sources against the paper's patterns alone.

    python benchmarks/extract.py [PAPERS] [--repeats N] [--show N]

PAPERS is a folder or an archive, as for `read_papers`; without it, documents are generated. The
baseline is five regular expressions applied to each file one after the other, without comments,
macros or included files. Its formulas are counted as equal to ours, or by the defect that they
have.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from im2tex.data.preparation.papers import read_papers
from im2tex.data.preparation.papers.paper import TEX, decode, read_paper
from im2tex.data.preparation.raw_files import iter_files
from im2tex.latex.normalize import normalize_or_none

LENGTHS = (41, 1023)  # minimum and maximum characters of a formula in the paper
PLAIN = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\\begin\{equation\}(.*?)\\end\{equation\}",
        r"\$\$(.*?)\$\$",
        r"\$(.*?)\$",
        r"\\\[(.*?)\\\]",
        r"\\\((.*?)\\\)",
    )
]


def made_up(count: int) -> list[str]:
    """Returns documents of about 60,000 characters, with short-hands, macros and comments."""
    rng = random.Random(0)
    head = (
        "\\documentclass{article}\n\\def\\be{\\begin{equation}}\\def\\ee{\\end{equation}}\n"
        "\\newcommand{\\vect}[1]{\\mathbf{#1}} % bold\n\\newcommand{\\R}{\\mathbb{R}}\n"
        "\\DeclareMathOperator{\\tr}{tr}\n\\begin{document}\n"
    )
    text = "The quick brown fox of section three jumps, by 5\\% more, over $x_i$ and $\\vect{y}$. "
    displays = (
        "\\be\\label{eq:%d} \\tr \\vect{A} = \\sum_{i=1}^{n} a_{ii} \\in \\R \\ee\n",
        "$$ \\int_0^\\infty e^{-x^2} \\, dx = \\frac{\\sqrt{\\pi}}{%d}$$\n",
        "\\[ \\sum_{k=1}^n k = \\frac{n(n+1)}{2} + %d, \\qquad n \\ge 1 %% half \n\\]\n",
        "\\[ f(\\vect{x}) = \\begin{cases} 0 & \\text{if $x_1 < %d$} \\\\ 1 & \\end{cases} \\]\n",
        "inline $\\left\\{ \\vect{x} \\in \\R^{%d} : \\tr(\\vect{x}) = 0 \\right\\}$ here.\n\n",
    )
    documents = []
    for _ in range(count):
        pieces = [head]
        for number in range(200):
            pieces.append(text * rng.randint(1, 4))
            pieces.append(rng.choice(displays) % number)
        documents.append("".join(pieces) + "\\end{document}\n")
    return documents


def match_patterns(text: str) -> list[str]:
    """Returns the matches of the paper's patterns."""
    return [
        found.strip().replace("\n", " ") for pattern in PLAIN for found in pattern.findall(text)
    ]


def with_allowed_length(formulas: list[str]) -> list[str]:
    return [latex for latex in formulas if LENGTHS[0] <= len(latex) <= LENGTHS[1]]


def report(name: str, seconds: float, size: int, formulas: list[str]) -> None:
    distinct = len(set(formulas))
    print(
        f"{name:9} {size / seconds / 1e6:6.1f} MB per second   {len(formulas):,} formulas of"
        f" {LENGTHS[0]} to {LENGTHS[1]} characters, {distinct:,} distinct,"
        f" {sum(map(is_parsable, set(formulas))):,} of them parsable"
    )


def is_parsable(latex: str) -> bool:
    return normalize_or_none(latex) is not None


def defect(latex: str) -> str:
    """Returns the probable defect of a formula that only the patterns find."""
    if re.search(r"(?<!\\)%", latex):
        return "a comment in it"
    if re.search(r"\\(?:label|tag|nonumber|notag)(?![A-Za-z])", latex):
        return "a label or number in it"
    if latex.count("{") - latex.count("\\{") != latex.count("}") - latex.count("\\}"):
        return "braces that do not match"
    return "macros, text, or a piece of another formula"


def best(task: Callable[[], list[str]], repeats: int) -> tuple[float, list[str]]:
    seconds, result = float("inf"), []
    for _ in range(repeats):
        start = time.process_time()
        result = task()
        seconds = min(seconds, time.process_time() - start)
    return seconds, result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("papers", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--show",
        type=int,
        default=0,
        help="number of formulas to print",
    )
    options = parser.parse_args()
    raw_path: Path | None = options.papers
    if raw_path is None:
        texts = made_up(40)
        ours = lambda: [  # noqa: E731
            found.latex
            for number, text in enumerate(texts)
            for found in read_paper(str(number), {"main.tex": text.encode()}).formulas
        ]
    else:
        texts = [
            decode(member.data) for member in iter_files(raw_path, TEX) if member.data is not None
        ]
        ours = lambda: [  # noqa: E731
            found.latex for paper in read_papers(raw_path, workers=1) for found in paper.formulas
        ]
    size = sum(len(text.encode()) for text in texts)
    print(f"{len(texts)} files, {size / 1e6:.1f} MB; one core, the best of {options.repeats}")
    seconds, found = best(ours, options.repeats)
    found = with_allowed_length(found)
    report("im2tex", seconds, size, found)
    plain_seconds, plain = best(
        lambda: [latex for text in texts for latex in match_patterns(text)], options.repeats
    )
    plain = with_allowed_length(plain)
    report("patterns", plain_seconds, size, plain)
    print(f"im2tex takes {seconds / plain_seconds:.1f} times as long as the patterns alone")
    same = {"".join(latex.split()) for latex in found}
    others = [latex for latex in dict.fromkeys(plain) if "".join(latex.split()) not in same]
    print(f"{len(set(plain)) - len(others):,} distinct formulas are equal to ours; of the others")
    for reason, count in Counter(map(defect, others)).most_common():
        print(f"    {count:6,}  have {reason}")
    for latex in random.Random(0).sample(others, min(options.show, len(others))):
        print(f"    patterns only: {latex[:150]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory: {peak / (1024 if sys.platform == 'linux' else 1 << 20):.0f} MiB")


if __name__ == "__main__":
    main()
