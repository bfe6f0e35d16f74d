r"""Extracts the formulas of one paper from its TeX files.

Files that a document reads are found by name among the files of its own paper; no path of the
file system is opened.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from im2tex.latex.document.comments import strip_comments
from im2tex.latex.document.extraction import ExtractedFormula, extract_formulas

LONGEST_DOCUMENT = 8 << 20
"""Characters of a document with the files that it reads; the longest have about two million."""

TEX = (".tex", ".ltx", ".latex")
"""Endings of files that can begin a document."""

# Substitutes for files that papers read and do not include. Papers of high-energy physics, which
# IM2LATEX-100K was cut from, are often written for harvmac: its displays are \eqn\name{...}.
_LIBRARY = {"harvmac.tex": rb"\def\eqn#1#2{$$#2$$}\def\eqnn#1{}\def\eqna#1{}"}

_MAX_DEPTH = 20  # of files that read files
_DOCUMENT_START = re.compile(
    r"\\document(?:class|style)(?![A-Za-z])|\\magnification"
    r"|\\input[ \t]*\{?(?:harvmac|phyzzx|amstex)"
)
_COMMENT = re.compile(r"(?<!\\)%")
_READ_COMMAND = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)(?![A-Za-z@])[ \t]*"
    r"(?:\{(?P<file>[^{}\n]{1,200})\}|(?P<word>[^\s{}\\$\[]{1,200}))"
    r"|\\(?:sub)?(?:import|inputfrom|includefrom)\*?[ \t]*"
    r"\{(?P<folder>[^{}\n]{0,200})\}[ \t]*\{(?P<within>[^{}\n]{1,200})\}"
    r"|\\(?:usepackage|RequirePackage|documentclass|documentstyle|LoadClass)[ \t]*"
    r"(?:\[(?P<options>[^\]]{0,2000})\])?\s*\{(?P<packages>[^{}]{1,2000})\}"
)
_ARXIV_NUMBER = re.compile(r"(?:[a-z-]+(?:\.[A-Z]{2})?)?\d{4}\.?\d{3,5}(?:v\d+)?")


@dataclass
class Paper:
    """The formulas of a paper.

    Attributes:
        name: path of the paper below the raw data.
        formulas: formulas in the order of the documents.
        skipped: number of skipped formulas or files, by reason.
    """

    name: str
    formulas: list[ExtractedFormula] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def read_paper(name: str, files: Mapping[str, bytes], *, main: str | None = None) -> Paper:
    r"""Extracts the formulas of a paper.

    Example::

        paper = read_paper("x", {"main.tex": rb"\documentclass{article} $a+b$"})
        paper.formulas  # [ExtractedFormula(kind="i", latex="a+b")]

    Args:
        name: name of the paper.
        files: TeX files of the paper, local packages included, by path.
        main: the main file; if not given, all files that begin a document.
    """
    paper = Paper(name)
    sources = _Sources(files)
    mains = sources.mains() if main is None else [main]
    if not mains:
        paper.skipped["no document in it"] += 1
    for file in mains:
        extracted = extract_formulas(sources.document(file))
        paper.skipped.update(extracted.skipped)
        paper.formulas += extracted.formulas
    if sources.oversized:
        paper.skipped["files beyond a document's size"] += sources.oversized
    return paper


def begins_document(path: str, data: bytes) -> bool:
    """Returns whether a paper can begin with a file."""
    if is_arxiv_number(path) or not is_tex(path):
        return is_arxiv_number(path)
    text = decode(data)
    return any(
        not _COMMENT.search(text, text.rfind("\n", 0, found.start()) + 1, found.start())
        for found in _DOCUMENT_START.finditer(text)
    )


def decode(data: bytes) -> str:
    """Returns the text of a file, in UTF-8 or else Latin-1, with line feeds as line ends."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def is_tex(path: str) -> bool:
    """Returns whether TeX reads a file of this name as a document."""
    name = posixpath.basename(path).lower()
    return name.endswith(TEX) or is_arxiv_number(name) or "." not in name


def is_arxiv_number(path: str) -> bool:
    """Returns whether a file is named by an arXiv number, as in the KDD cup's hep-th archive."""
    return _ARXIV_NUMBER.fullmatch(posixpath.basename(path)) is not None


class _Sources:
    """The files of a paper as text, each decoded once.

    Attributes:
        oversized: number of files that were skipped because the document is too long.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.own = files
        self.files = {**_LIBRARY, **files}
        self.by_name: dict[str, list[str]] = defaultdict(list)
        for path in (*sorted(files), *_LIBRARY):
            self.by_name[posixpath.basename(path)].append(path)
        self.texts: dict[str, str] = {}
        self.oversized = 0

    def text(self, path: str) -> str:
        if path not in self.texts:
            self.texts[path] = strip_comments(decode(self.files[path]))
        return self.texts[path]

    def mains(self) -> list[str]:
        """Returns the files that begin a document, else all files that no other file reads."""
        candidates = sorted(path for path in self.own if is_tex(path))
        read = {
            target
            for path in candidates
            for match in _READ_COMMAND.finditer(self.text(path))
            for target in self._targets(match, path, path)
            if target != path
        }
        begin = [path for path in candidates if _DOCUMENT_START.search(self.text(path))]
        # A file that begins a document and is read by another is a chapter.
        return [path for path in begin or candidates if path not in read] or begin[:1]

    def document(self, main: str) -> str:
        """Returns the text of a file with the files that it reads inserted."""
        pieces: list[str] = []
        self._insert_files(main, main, (), pieces, LONGEST_DOCUMENT)
        return "".join(pieces)

    def _insert_files(
        self, path: str, main: str, parents: tuple[str, ...], pieces: list[str], budget: int
    ) -> int:
        """Appends the text of a file to `pieces`; returns the remaining budget in characters."""
        if path in parents or len(parents) >= _MAX_DEPTH:
            return budget
        text = self.text(path)
        if len(text) > budget:
            self.oversized += 1
            return budget
        budget -= len(text)
        at = 0
        for match in _READ_COMMAND.finditer(text):
            targets = self._targets(match, path, main)
            if targets:
                pieces.append(text[at : match.start()])
                at = match.end()
            for target in targets:
                # Each file counts 100 characters more, because it costs time even if it is empty.
                budget = self._insert_files(target, main, (*parents, path), pieces, budget - 100)
                pieces.append("\n")
        pieces.append(text[at:])
        return budget

    def _targets(self, match: re.Match[str], path: str, main: str) -> list[str]:
        """Returns the paper's files that a command reads."""
        if names := match["packages"]:
            options = match["options"] or ""
            wanted = [f"{option.strip()}.sty" for option in options.split(",")]
            for name in names.split(","):
                wanted += (f"{name.strip()}.sty", f"{name.strip()}.cls")
        elif within := match["within"]:
            wanted = [posixpath.join(match["folder"].strip(), within.strip())]
        else:
            wanted = [(match["file"] or match["word"]).strip().strip('"')]
        folders = tuple(dict.fromkeys((posixpath.dirname(main), posixpath.dirname(path))))
        found: list[str] = []
        for name in wanted:
            for ending in ("", *TEX):
                namesakes = self.by_name.get(posixpath.basename(name) + ending)
                if namesakes is None:
                    continue
                paths = [posixpath.normpath(posixpath.join(at, name + ending)) for at in folders]
                # A paper that was packed without its folders has only the file name.
                found.append(next((path for path in paths if path in namesakes), namesakes[0]))
                break
        return found
