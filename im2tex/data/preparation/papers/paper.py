r"""One paper: its files, the ones to begin with, and the formulas in them.

A file may read others, but only those of its own paper: they are looked up by name among what was
packed with it, and no path is ever opened.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from im2tex.data.preparation.papers.library import LIBRARY
from im2tex.latex.document.boundaries import MAX_FORMULA_LENGTH
from im2tex.latex.document.comments import strip_comments
from im2tex.latex.document.extraction import ExtractedFormula, extract_formulas

LONGEST_DOCUMENT = 8 << 20
"""Characters of a document with all that it reads; the longest papers have about two million."""

TEX = (".tex", ".ltx", ".latex")
"""Endings of files that a paper may begin with."""

_DEPTH = 20  # files that read files
_BEGINS = re.compile(
    r"\\document(?:class|style)(?![A-Za-z])|\\magnification"
    r"|\\input[ \t]*\{?(?:harvmac|phyzzx|amstex)"
)
_COMMENT = re.compile(r"(?<!\\)%")
_READS = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)(?![A-Za-z@])[ \t]*"
    r"(?:\{(?P<file>[^{}\n]{1,200})\}|(?P<word>[^\s{}\\$\[]{1,200}))"
    r"|\\(?:sub)?(?:import|inputfrom|includefrom)\*?[ \t]*"
    r"\{(?P<folder>[^{}\n]{0,200})\}[ \t]*\{(?P<within>[^{}\n]{1,200})\}"
    r"|\\(?:usepackage|RequirePackage|documentclass|documentstyle|LoadClass)[ \t]*"
    r"(?:\[(?P<options>[^\]]{0,2000})\])?\s*\{(?P<packages>[^{}]{1,2000})\}"
)


@dataclass
class Paper:
    """What was found in a paper.

    Attributes:
        name: where it lies below the origin.
        formulas: in the order of its documents.
        left_out: how many formulas or files were not taken, by reason.
        private: how many formulas still hold macros of the paper that cannot be expanded.
        characters: of its documents, comments taken out.
    """

    name: str
    formulas: list[ExtractedFormula] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    private: int = 0
    characters: int = 0


def read_paper(
    name: str,
    files: Mapping[str, bytes],
    *,
    main: str | None = None,
    rows: bool = False,
    lengths: tuple[int, int] = (1, MAX_FORMULA_LENGTH),
) -> Paper:
    r"""The formulas of a paper.

    Args:
        name: what it is called.
        files: its TeX files, local packages included, by path.
        main: the file to begin with; all files that begin a document, if not given.
        rows: as in `extract_formulas`.
        lengths: the fewest and the most characters of a formula that is taken.
    """
    paper = Paper(name)
    sources = _Sources(files)
    mains = sources.mains() if main is None else [main]
    if not mains:
        paper.left_out["no document in it"] += 1
    for file in mains:
        document = sources.document(file)
        paper.characters += len(document)
        found = extract_formulas(document, rows=rows)
        paper.left_out.update(found.skipped)
        paper.private += found.with_opaque_macros
        for formula in found.formulas:
            if len(formula.latex) < lengths[0]:
                paper.left_out[f"fewer than {lengths[0]} characters"] += 1
            elif len(formula.latex) > lengths[1]:
                paper.left_out[f"more than {lengths[1]} characters"] += 1
            else:
                paper.formulas.append(formula)
    if sources.shortened:
        paper.left_out["files beyond a document's size"] += sources.shortened
    return paper


def begins_document(source: bytes) -> bool:
    """Whether a file is one that a paper begins with."""
    text = decode(source)
    return any(
        not _COMMENT.search(text, text.rfind("\n", 0, found.start()) + 1, found.start())
        for found in _BEGINS.finditer(text)
    )


def decode(source: bytes) -> str:
    """A file's text: UTF-8, or Latin-1 if it is not that, with plain line ends."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = source.decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


class _Sources:
    """A paper's files as text, each read once."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.own = files
        self.files = {**LIBRARY, **files}
        self.named: dict[str, list[str]] = defaultdict(list)
        for path in (*sorted(files), *LIBRARY):
            self.named[posixpath.basename(path)].append(path)
        self.texts: dict[str, str] = {}
        self.shortened = 0

    def text(self, path: str) -> str:
        if path not in self.texts:
            self.texts[path] = strip_comments(decode(self.files[path]))
        return self.texts[path]

    def mains(self) -> list[str]:
        """The files that begin a document, or else all that no other one reads."""
        candidates = sorted(path for path in self.own if is_tex(path))
        read = {
            target
            for path in candidates
            for match in _READS.finditer(self.text(path))
            for target in self._targets(match, path, path)
            if target != path
        }
        begin = [path for path in candidates if _BEGINS.search(self.text(path))]
        if begin:
            # One that another one reads is a chapter that can also stand alone.
            return [path for path in begin if path not in read] or begin[:1]
        return [path for path in candidates if path not in read]

    def document(self, main: str) -> str:
        """A file's text, with the files that it reads in their places."""
        pieces: list[str] = []
        self._assemble(main, main, (), pieces, LONGEST_DOCUMENT)
        return "".join(pieces)

    def _assemble(
        self, path: str, main: str, above: tuple[str, ...], pieces: list[str], left: int
    ) -> int:
        """Adds a file's text to the pieces; returns how many characters may still follow."""
        if path in above or len(above) >= _DEPTH:
            return left
        text = self.text(path)
        if len(text) > left:
            self.shortened += 1
            return left
        left -= len(text)
        at = 0
        for match in _READS.finditer(text):
            targets = self._targets(match, path, main)
            if targets:
                pieces.append(text[at : match.start()])
                at = match.end()
            for target in targets:
                # A file that reads nothing is still work, if it is read many times.
                left = self._assemble(target, main, (*above, path), pieces, left - 100)
                pieces.append("\n")
        pieces.append(text[at:])
        return left

    def _targets(self, match: re.Match[str], path: str, main: str) -> list[str]:
        """The paper's own files that a command reads."""
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
                alike = self.named.get(posixpath.basename(name) + ending)
                if alike is None:
                    continue
                places = [posixpath.normpath(posixpath.join(at, name + ending)) for at in folders]
                # Of a paper that was packed without its folders, the name is all there is.
                found.append(next((place for place in places if place in alike), alike[0]))
                break
        return found


def is_tex(path: str) -> bool:
    """Whether a file's name is one that TeX reads as a document: by its ending, or without one."""
    name = posixpath.basename(path).lower()
    return name.endswith(TEX) or is_numbered(name) or "." not in name


def is_numbered(name: str) -> bool:
    """Whether a file is named by its paper's number in arXiv, as in hep-th of the KDD cup."""
    return _NUMBER.fullmatch(posixpath.basename(name)) is not None


_NUMBER = re.compile(r"(?:[a-z-]+(?:\.[A-Z]{2})?)?\d{4}\.?\d{3,5}(?:v\d+)?")
