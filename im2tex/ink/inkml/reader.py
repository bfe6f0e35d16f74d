"""`read_inkml`: one file's strokes, its symbols and what it says its formula is."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Ink, Symbol
from im2tex.ink.inkml.coding import CodingError, Points, decode
from im2tex.ink.inkml.contexts import DEFAULT, XML_ID, Contexts, TraceFormat
from im2tex.ink.inkml.document import load, local
from im2tex.ink.inkml.errors import InkmlError
from im2tex.ink.inkml.outliers import are_removable, far_points

_TRUTHS = ("truth", "normalizedLabel", "label")  # CROHME's, then MathWriting's
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_MEMBERS = 1_000_000  # references of all groups together
_SIDES = (1e-6, 1e12)  # units: the longer side of an ink that can be drawn
_PRECISE = 2.0**14  # sides away from the origin from which float32 would blur an ink


@dataclass(frozen=True, slots=True)
class SymbolGroup:
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
        latex: the LaTeX truth as written, or None: the annotation `truth`, else MathWriting's
            `normalizedLabel`, else its `label`.
        math: the `math` element of the MathML truth, or None.
        annotations: every other annotation of the whole file by type (`UI`, `writer`, …).
        empty: traces without a point, left out of the ink.
        notes: what was read with a doubt or left out, for a person: a line each.
    """

    ink: Ink
    groups: tuple[SymbolGroup, ...] = ()
    latex: str | None = None
    math: ET.Element | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    empty: int = 0
    notes: tuple[str, ...] = ()

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
        Its strokes, in file order, and its truth. X grows to the right and Y downwards, in the
        file's own unit of X; where Y has another one, it is converted.

    Raises:
        InkmlError: if it cannot be read, is cut off or too large, has a coordinate that is no
            finite number, has no stroke, or has points too far apart to be drawn.
    """
    name = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    return _Reader(load(source, name), name).read()


@dataclass(slots=True)
class _Trace:
    """A `trace` element.

    Attributes:
        text: its points; "" for a movement through the air.
        form: its channels.
        shown: whether it is drawn: it stands outside `definitions`, or something there shows it.
        prior: index of the trace that it continues, or -1.
    """

    text: str
    form: TraceFormat
    shown: bool
    prior: int


class _Reader:
    """Walks one file's elements in document order.

    Args:
        root: the `ink` element.
        name: the file, for messages.
    """

    def __init__(self, root: ET.Element, name: str) -> None:
        self.root = root
        self.name = name
        self.contexts = Contexts(root)
        self.current: TraceFormat | None = None  # as last given outside `definitions`
        self.traces: list[_Trace] = []
        self.ids: dict[str, int] = {}
        self.sets: dict[str, list[str]] = {}  # references by the id of a group or view
        self.shown: list[str] = []  # references outside `definitions`
        self.groups: list[tuple[str, str, list[str]]] = []
        self.annotations: dict[str, str] = {}
        self.math: ET.Element | None = None
        self.notes: list[str] = []
        self.empty = 0
        self.members = 0

    def read(self) -> Inkml:
        for child in self.root:
            self._visit(child, shown=True)
        for i in self._traces_of(self.shown):
            self.traces[i].shown = True
        if self.traces and not any(trace.shown for trace in self.traces):
            self.notes.append("all traces stand in 'definitions'; they are drawn all the same")
            for trace in self.traces:
                trace.shown = True
        strokes, number = self._strokes()
        latex = self._truth()
        groups = []
        for truth, href, references in self.groups:
            members = (number[i] for i in self._traces_of(references) if i in number)
            found = tuple(dict.fromkeys(members))
            if found:
                groups.append(SymbolGroup(truth, href, found))
        if self.contexts.missing:
            reference = next(iter(self.contexts.missing))
            self.notes.append(f"it refers to '{reference[:80]}', which is not in the file")
        return Inkml(
            ink=Ink(tuple(strokes), tuple(Symbol(g.truth, g.strokes) for g in groups)),
            groups=tuple(groups),
            latex=latex,
            math=self.math,
            annotations=self.annotations,
            empty=self.empty,
            notes=tuple(self.notes),
        )

    def _truth(self) -> str | None:
        told = self.annotations.pop(_TRUTHS[0], None)
        truth = told or next(filter(None, map(self.annotations.get, _TRUTHS[1:])), told)
        if truth and "\ufffd" in truth:
            self.notes.append("its label has characters that are not of the file's encoding")
        return truth

    def _visit(self, element: ET.Element, *, shown: bool) -> None:
        tag = local(element.tag)
        if tag == "trace":
            self._trace(element, None, shown=shown)
        elif tag == "annotation":
            # Three files of 2013 misspell the attribute that says "truth".
            kind = element.get("type") or next(iter(element.attrib.values()), "")
            self.annotations.setdefault(kind, (element.text or "").strip())
        elif tag == "annotationXML":
            if self.math is None:
                self.math = next((e for e in element.iter() if local(e.tag) == "math"), None)
        elif tag in ("traceGroup", "traceView"):
            references = self._group(element, None, shown=shown)
            if shown:
                self.shown += references
        elif tag in ("traceFormat", "inkSource", "context"):
            if shown:
                self.current = self.contexts.of(element) or self.current
        elif tag == "definitions":
            for child in element:
                self._visit(child, shown=False)

    def _trace(self, element: ET.Element, inherited: TraceFormat | None, *, shown: bool) -> str:
        identity = element.get("id") or element.get(XML_ID) or f"#{len(self.traces)}"
        prior = -1
        if element.get("continuation") in ("middle", "end"):
            prior = self.ids.get((element.get("priorRef") or "").strip().lstrip("#"), -1)
        self.ids.setdefault(identity, len(self.traces))
        form = self.contexts.referred(element) or inherited or self.current or self.contexts.only
        # A pen-up trace is a movement through the air.
        text = "" if element.get("type") == "penUp" else (element.text or "")
        self.traces.append(_Trace(text, form, shown, prior))
        return identity

    def _group(
        self, element: ET.Element, inherited: TraceFormat | None, *, shown: bool
    ) -> list[str]:
        """A `traceGroup` or `traceView`; the references of all that is in it."""
        inherited = self.contexts.referred(element) or inherited
        truth = href = ""
        references: list[str] = []
        inside: list[str] = []
        whole = (element.get("traceDataRef") or "").lstrip("#")
        if whole:
            references.append(whole)
        for child in element:
            tag = local(child.tag)
            if tag == "traceView" and not len(child):
                references.append((child.get("traceDataRef") or "").lstrip("#"))
            elif tag == "trace":
                references.append(self._trace(child, inherited, shown=shown))
            elif tag == "annotation" and not truth:
                truth = (child.text or "").strip()
            elif tag == "annotationXML" and not href:
                href = child.get("href") or ""
            elif tag in ("traceGroup", "traceView"):
                inside += self._group(child, inherited, shown=shown)
        if references:
            self.groups.append((truth, href, references))
        references = references + inside
        identity = element.get(XML_ID) or element.get("id")
        if identity:
            self.sets.setdefault(identity, references)
        return references

    def _traces_of(self, references: Iterable[str]) -> list[int]:
        """Indices of the traces that references mean, each once, through groups and views."""
        found: dict[int, None] = {}
        waiting = list(references)[::-1]
        seen: set[str] = set()
        while waiting:
            reference = waiting.pop()
            if reference in seen:
                continue
            seen.add(reference)
            if reference in self.ids:  # in CROHME a group may have the id of a trace
                found[self.ids[reference]] = None
            else:
                waiting += self.sets.get(reference, [])[::-1]
        self.members += len(seen)
        if self.members > _MAX_MEMBERS:
            raise InkmlError(self.name, "its groups and views show the same traces over and over")
        return list(found)

    def _strokes(self) -> tuple[list[NDArray[np.float32]], dict[int, int]]:
        """The strokes, and the stroke's index by that of each trace that is part of one."""
        parts: dict[int, list[Points]] = {}  # by the trace that a stroke begins with
        first: dict[int, int] = {}
        drawn = [i for i, trace in enumerate(self.traces) if trace.shown]
        reference = self.traces[drawn[0]].form if drawn else DEFAULT
        for i in drawn:
            trace = self.traces[i]
            points = self._points(trace, reference)
            if len(points):
                first[i] = first.get(trace.prior, i)
                parts.setdefault(first[i], []).append(points)
        if not parts:
            raise InkmlError(self.name, "there is no stroke with a point in it")
        self.empty = len(drawn) - len(first)
        whole = {i: np.concatenate(points) for i, points in parts.items()}
        kept = self._near(whole)
        strokes = _settled(list(kept.values()), self.name)
        index = {i: number for number, i in enumerate(kept)}
        return strokes, {i: index[start] for i, start in first.items() if start in index}

    def _points(self, trace: _Trace, reference: TraceFormat) -> Points:
        try:
            points = decode(trace.text, trace.form)
        except CodingError as error:
            raise InkmlError(self.name, str(error)) from None
        if points.size and not float(np.abs(points).max()) <= _FLOAT32_MAX:
            raise InkmlError(self.name, "there is a coordinate that is not finite")
        unit = reference.units[0]
        factors = [
            sign * own.ratio(unit)
            for sign, own in zip(trace.form.signs, trace.form.units, strict=True)
        ]
        return points if factors == [1, 1] else points * factors

    def _near(self, strokes: dict[int, Points]) -> dict[int, Points]:
        """The strokes without points far away from the others."""
        outside = far_points(list(strokes.values()))
        if not outside.any():
            return strokes
        if not are_removable(outside):
            self.notes.append("its strokes lie far apart: is this one formula?")
            return strokes
        self.notes.append(f"points far away from the formula are left out: {int(outside.sum())}")
        kept = {}
        at = 0
        for i, points in strokes.items():
            near = points[~outside[at : at + len(points)]]
            at += len(points)
            if len(near):
                kept[i] = near
        return kept


def _settled(strokes: list[Points], name: str) -> list[NDArray[np.float32]]:
    """The strokes in single precision, moved to the origin where that would blur them.

    Raises:
        InkmlError: if the ink is too large or too small to be drawn.
    """
    points = np.concatenate(strokes)
    low = points.min(axis=0)
    side = float((points.max(axis=0) - low).max())
    if side and not _SIDES[0] <= side <= _SIDES[1]:
        raise InkmlError(
            name,
            f"its ink is {side:.3g} units across; from {_SIDES[0]:.0e} to {_SIDES[1]:.0e} can be "
            "drawn",
        )
    if side and float(np.abs(points).max()) > _PRECISE * side:
        strokes = [stroke - low for stroke in strokes]
    return [stroke.astype(np.float32) for stroke in strokes]
