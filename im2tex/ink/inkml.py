r"""InkML as CROHME writes it: strokes, truth, and which strokes make which symbol.

The competition's files of 2011 to 2019 come from seven groups' tools and differ in everything the
format leaves open: namespaces, channels, separators, nesting of groups. The usual file, whose
traces are plain numbers in plain spacing, is read without a Python object a point: the traces are
cut out before the XML is parsed and converted by one NumPy call a file. Whatever does not fit that
path is read with care, point by point.
"""

from __future__ import annotations

import html
import re
import warnings
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Stroke, Symbol

_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_TRACE = re.compile(
    rb"(<(?:[A-Za-z]+:)?trace(?:\s[^<>]*[^<>/])?>)([^<]*)(</(?:[A-Za-z]+:)?trace\s*>)"
)
_TRACE_START = re.compile(rb"<(?:[A-Za-z]+:)?trace[\s/>]")
_NUMERALS = b"0123456789.+-eE"


class InkmlError(Im2TexError):
    """An InkML file that gives no ink.

    Args:
        file: its name.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


@dataclass(frozen=True, slots=True)
class Group:
    r"""A symbol as the file segments it.

    Attributes:
        truth: the name it carries, as written (`x`, `\alpha`, `COMMA`).
        href: the `xml:id` of its MathML element, or "".
        strokes: indices into the ink's strokes.
    """

    truth: str
    href: str
    strokes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Inkml:
    """What an InkML file says.

    Attributes:
        ink: the strokes, and the symbols under the names the file gives them.
        groups: the same symbols with their references into the MathML.
        latex: the LaTeX truth as written, or None.
        math: the `math` element of the MathML truth, or None.
        annotations: every other annotation of the whole file by type (`UI`, `writer`, …).
        empty: traces without a point, left out of the ink.
    """

    ink: Ink
    groups: tuple[Group, ...] = ()
    latex: str | None = None
    math: ET.Element | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    empty: int = 0

    @property
    def ui(self) -> str:
        """The file's unique identifier in the competition, or ""."""
        return self.annotations.get("UI", "").strip(' "')

    @property
    def writer(self) -> str:
        """Who wrote it, or ""."""
        return self.annotations.get("writer", "")


def read_inkml(source: Path | str | bytes, name: str | None = None) -> Inkml:
    """Reads one InkML file.

    Args:
        source: a path, or the bytes of the file.
        name: what to call it in messages; by default its path.

    Returns:
        Its strokes, in file order and in the file's own unit, and its truth.

    Raises:
        InkmlError: if it cannot be read, is cut off, has a coordinate that is no finite number,
            or has no stroke.
    """
    if isinstance(source, bytes):
        data, name = source, name or "<bytes>"
    else:
        name = name or str(source)
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise InkmlError(name, f"cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise InkmlError(name, "the file is empty")
    skeleton, texts = _cut_traces(data)
    try:
        root = ET.fromstring(skeleton)
    except ET.ParseError as problem:
        root, texts = _repair(data, name, problem), []
    return _Reader(root, texts, name).read()


def _cut_traces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The file with each trace's points replaced by a running number, and the points."""
    if b"<!" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data, []  # a comment or CDATA may hold what looks like a trace
    texts: list[bytes] = []

    def cut(match: re.Match[bytes]) -> bytes:
        texts.append(match[2].strip())
        return b"%b%d%b" % (match[1], len(texts) - 1, match[3])

    skeleton = _TRACE.sub(cut, data)
    if len(texts) != len(_TRACE_START.findall(data)):
        return data, []
    return skeleton, texts


def _repair(data: bytes, name: str, problem: ET.ParseError) -> ET.Element:
    """Parses again with stray bytes, unknown entities and undeclared prefixes put right."""
    text = data.decode("utf-8-sig", "replace")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    text = re.sub(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)(\w*;?)", _entity, text)
    if "unbound prefix" in str(problem):
        text = re.sub(r"(</?)(?!xml:)\w+:", r"\1", text)
        text = re.sub(r"\s(?!xml:|xmlns)\w+:(\w+\s*=)", r" \1", text)
    text = "".join(c for c in text if c >= " " or c in "\t\n\r")
    try:
        return ET.fromstring(text)
    except ET.ParseError as still:
        raise InkmlError(name, f"not well-formed XML, perhaps cut off ({still})") from None


def _entity(match: re.Match[str]) -> str:
    """HTML's entities as characters, any other ampersand as itself."""
    text = html.unescape(match.group())
    return html.escape(text) if text != match.group() else "&amp;" + match[1]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class _Reader:
    """Walks one file's elements in document order.

    Args:
        root: the `ink` element.
        texts: the traces' points, where they were cut out; each trace then holds its index.
        name: the file, for messages.
    """

    def __init__(self, root: ET.Element, texts: list[bytes], name: str) -> None:
        self.root = root
        self.texts = texts
        self.name = name
        self.width = 2  # numbers a point, as declared
        self.x, self.y = 0, 1
        self.traces: list[bytes] = []
        self.ids: dict[str, int] = {}
        self.groups: list[tuple[str, str, list[str]]] = []
        self.annotations: dict[str, str] = {}
        self.math: ET.Element | None = None

    def read(self) -> Inkml:
        for child in self.root:
            self._visit(child)
        strokes: list[Stroke] = []
        number: dict[int, int] = {}
        for i, points in enumerate(self._points()):
            if len(points):
                number[i] = len(strokes)
                strokes.append(points)
        if not strokes:
            raise InkmlError(self.name, "there is no stroke with a point in it")
        groups = []
        for truth, href, references in self.groups:
            traces = (self.ids.get(reference, -1) for reference in references)
            members = tuple(dict.fromkeys(number[trace] for trace in traces if trace in number))
            if members:
                groups.append(Group(truth, href, members))
        latex = self.annotations.pop("truth", None)
        return Inkml(
            ink=Ink(tuple(strokes), tuple(Symbol(g.truth, g.strokes) for g in groups)),
            groups=tuple(groups),
            latex=latex,
            math=self.math,
            annotations=self.annotations,
            empty=len(self.traces) - len(strokes),
        )

    def _visit(self, element: ET.Element) -> None:
        tag = _local(element.tag)
        if tag == "trace":
            self._trace(element)
        elif tag == "annotation":
            # Three files of 2013 misspell the attribute that says "truth".
            kind = element.get("type") or next(iter(element.attrib.values()), "")
            self.annotations.setdefault(kind, (element.text or "").strip())
        elif tag == "annotationXML":
            if self.math is None:
                self.math = next((e for e in element.iter() if _local(e.tag) == "math"), None)
        elif tag == "traceGroup":
            self._group(element)
        elif tag == "traceFormat":
            self._format(element)
        elif tag in ("definitions", "inkSource", "context"):
            for child in element:
                self._visit(child)

    def _format(self, element: ET.Element) -> None:
        names = [c.get("name", "") for c in element.iter() if _local(c.tag) == "channel"]
        if "X" in names and "Y" in names:
            self.width = len(names)
            self.x, self.y = names.index("X"), names.index("Y")

    def _trace(self, element: ET.Element) -> str:
        identity = element.get("id") or element.get(_XML_ID) or f"#{len(self.traces)}"
        self.ids.setdefault(identity, len(self.traces))
        text = element.text or ""
        points = self.texts[int(text)] if self.texts else text.strip().encode()
        # A pen-up trace is a movement through the air.
        self.traces.append(b"" if element.get("type") == "penUp" else points)
        return identity

    def _group(self, element: ET.Element) -> None:
        truth = href = ""
        references: list[str] = []
        for child in element:
            tag = _local(child.tag)
            if tag == "traceView":
                references.append((child.get("traceDataRef") or "").lstrip("#"))
            elif tag == "trace":
                references.append(self._trace(child))
            elif tag == "annotation" and not truth:
                truth = (child.text or "").strip()
            elif tag == "annotationXML" and not href:
                href = child.get("href") or ""
            elif tag == "traceGroup":
                self._group(child)
        if references:
            self.groups.append((truth, href, references))

    def _points(self) -> list[Stroke]:
        """The traces' points, (n, 2) each."""
        counts = [text.count(b",") + 1 for text in self.traces]
        joined = b", ".join(self.traces)
        # Without its numerals a regular file is nothing but separators at the right places.
        point = b" " * (self.width - 1)
        regular = joined.translate(None, _NUMERALS) == b", ".join([point] * sum(counts))
        flat = _numbers(joined.replace(b",", b"")) if regular else None
        if flat is None or flat.size != sum(counts) * self.width:
            return [self._careful(text.decode("ascii", "replace")) for text in self.traces]
        points = flat.reshape(-1, self.width)[:, [self.x, self.y]]  # (points, 2)
        self._check(points)
        single = points.astype(np.float32)
        ends = list(accumulate(counts))
        return [single[end - n : end] for n, end in zip(counts, ends, strict=True)]

    def _careful(self, text: str) -> Stroke:
        """One trace, whatever its spacing."""
        rows = [row.split() for row in text.split(",") if row.strip()]
        if len(rows) == 1 and len(rows[0]) > self.width and len(rows[0]) % self.width == 0:
            # No commas at all: the channels tell where a point ends.
            rows = [rows[0][i : i + self.width] for i in range(0, len(rows[0]), self.width)]
        points = np.empty((len(rows), 2))
        for i, row in enumerate(rows):
            if len(row) <= max(self.x, self.y):
                raise InkmlError(self.name, f"the point '{' '.join(row)}' has too few coordinates")
            try:
                points[i] = float(row[self.x]), float(row[self.y])
            except ValueError:
                raise InkmlError(
                    self.name, f"the point '{' '.join(row)}' has a coordinate that is no number"
                ) from None
        self._check(points)
        return points.astype(np.float32)

    def _check(self, points: NDArray[np.float64]) -> None:
        if points.size and not float(np.abs(points).max()) <= _FLOAT32_MAX:
            raise InkmlError(self.name, "there is a coordinate that is not finite")


def _numbers(text: bytes) -> NDArray[np.float64] | None:
    """All numbers of the text, or None if there is anything else in it."""
    # Most devices write whole numbers, and NumPy reads those nine times as fast.
    whole = not any(sign in text for sign in (b".", b"e", b"E"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            if whole:
                numbers = np.fromstring(text, dtype=np.int64, sep=" ").astype(np.float64)
            else:
                numbers = np.fromstring(text, dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    # NumPy clips what an int64 cannot hold.
    return None if whole and np.abs(numbers).max(initial=0) >= 2**53 else numbers
