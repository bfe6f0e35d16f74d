"""`read_inkml`: reads the strokes, symbols and labels of one InkML file.

`read_if_inkml` recognises InkML among images by content, whatever the name of the file.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Ink, Symbol
from im2tex.ink.inkml.coding import CodingError, Points, decode_trace
from im2tex.ink.inkml.contents import Inkml, SymbolGroup
from im2tex.ink.inkml.contexts import DEFAULT, XML_ID, Contexts, TraceFormat
from im2tex.ink.inkml.document import (
    HEAD,
    MAX_BYTES,
    InkmlError,
    is_inkml,
    load_document,
    local_name,
)
from im2tex.ink.inkml.outliers import are_removable, far_points
from im2tex.utils.files import read_regular_file

_LABELS = ("truth", "normalizedLabel", "label")  # CROHME's, then MathWriting's
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_REFERENCES = 1_000_000  # of all groups together
_EXTENTS = (1e-6, 1e12)  # units: longer side of an ink that can be drawn
_MAX_OFFSET = 2.0**14  # longer sides from the origin: beyond, float32 is too coarse


def read_inkml(source: Path | str | bytes, name: str | None = None) -> Inkml:
    """Reads one InkML file.

    Args:
        source: a path, or the bytes of the file.
        name: of the file in messages; by default its path.

    Returns:
        Its strokes, in file order, and its labels. X grows to the right and Y downwards, in the
        file's unit of X; Y is converted to it.

    Raises:
        InkmlError: if it cannot be read, is cut off or too large, has an invalid coordinate, has
            no stroke, or has points too far apart to be drawn.
    """
    name = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    return _Reader(load_document(source, name), name).read()


def read_if_inkml(source: Any) -> Inkml | None:
    """Reads a source if it is InkML.

    Args:
        source: a path, the bytes of a file, a seekable binary file, or any other object.

    Returns:
        The InkML; None if the source is not InkML or cannot be opened. A file whose name ends with
        `.inkml` is always read as InkML. The position of a file object that is not InkML is not
        changed.

    Raises:
        InkmlError: if it is InkML without ink.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.suffix.lower() == ".inkml" or is_inkml(_read_head(path)):
            return read_inkml(path)
        return None
    data = source if isinstance(source, bytes) else _read_stream(source)
    return read_inkml(data, "the InkML") if is_inkml(data) else None


class _Reader:
    """Reads the elements of one file in document order.

    Args:
        root: the `ink` element.
        name: of the file in messages.
    """

    def __init__(self, root: ET.Element, name: str) -> None:
        self.root = root
        self.name = name
        self.contexts = Contexts(root)
        self.current: TraceFormat | None = None  # the last one outside of `definitions`
        # For each trace, the values and formats of its parts; a part can be an element of its own.
        self.traces: list[list[tuple[str, TraceFormat]]] = []
        self.ids: dict[str, int] = {}  # index of the trace of each part
        self.drawn_traces: set[int] = set()  # outside of `definitions`, or referred to from there
        self.members: dict[str, list[str]] = {}  # references by the id of a group or view
        self.drawn: list[str] = []  # references outside of `definitions`
        self.groups: list[tuple[str, str, list[str]]] = []
        self.annotations: dict[str, str] = {}
        self.math: ET.Element | None = None
        self.notes: list[str] = []
        self.empty = 0
        self.references = 0

    def read(self) -> Inkml:
        for child in self.root:
            self._visit(child, is_drawn=True)
        self.drawn_traces.update(self._traces_of(self.drawn))
        if self.traces and not self.drawn_traces:
            self.notes.append("all traces are in 'definitions'; they are drawn")
            self.drawn_traces.update(range(len(self.traces)))
        strokes, stroke_of = self._strokes()
        latex = self._label()
        groups = []
        for truth, href, references in self.groups:
            found = (stroke_of[i] for i in self._traces_of(references) if i in stroke_of)
            members = tuple(dict.fromkeys(found))
            if members:
                groups.append(SymbolGroup(truth, href, members))
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

    def _label(self) -> str | None:
        truth = self.annotations.pop(_LABELS[0], None)
        label = truth or next(filter(None, map(self.annotations.get, _LABELS[1:])), truth)
        if label and "\ufffd" in label:
            self.notes.append("its label has characters that are not of the file's encoding")
        return label

    def _visit(self, element: ET.Element, *, is_drawn: bool) -> None:
        tag = local_name(element.tag)
        if tag == "trace":
            self._trace(element, None, is_drawn=is_drawn)
        elif tag == "annotation":
            # Three files of 2013 misspell the attribute with the value "truth".
            kind = element.get("type") or next(iter(element.attrib.values()), "")
            self.annotations.setdefault(kind, (element.text or "").strip())
        elif tag == "annotationXML":
            if self.math is None:
                self.math = next((e for e in element.iter() if local_name(e.tag) == "math"), None)
        elif tag in ("traceGroup", "traceView"):
            references = self._group(element, None, is_drawn=is_drawn)
            if is_drawn:
                self.drawn += references
        elif tag in ("traceFormat", "inkSource", "context"):
            if is_drawn:
                self.current = self.contexts.format_of(element) or self.current
        elif tag == "definitions":
            for child in element:
                self._visit(child, is_drawn=False)

    def _trace(self, element: ET.Element, inherited: TraceFormat | None, *, is_drawn: bool) -> str:
        """Adds a trace, and returns its id."""
        index = None
        if element.get("continuation") in ("middle", "end"):
            index = self.ids.get((element.get("priorRef") or "").strip().lstrip("#"))
        if index is None:
            index = len(self.traces)
            self.traces.append([])
        contexts = self.contexts
        form = contexts.referenced_format(element) or inherited or self.current or contexts.only
        text = "" if element.get("type") == "penUp" else (element.text or "")
        self.traces[index].append((text, form))
        if is_drawn:
            self.drawn_traces.add(index)
        identity = element.get("id") or element.get(XML_ID) or f"#{len(self.ids)}"
        self.ids.setdefault(identity, index)
        return identity

    def _group(
        self, element: ET.Element, inherited: TraceFormat | None, *, is_drawn: bool
    ) -> list[str]:
        """Adds a `traceGroup` or `traceView`, and returns the references of its contents."""
        inherited = self.contexts.referenced_format(element) or inherited
        truth = href = ""
        references: list[str] = []
        nested: list[str] = []
        whole = (element.get("traceDataRef") or "").lstrip("#")
        if whole:
            references.append(whole)
        for child in element:
            tag = local_name(child.tag)
            if tag == "traceView" and not len(child):
                references.append((child.get("traceDataRef") or "").lstrip("#"))
            elif tag == "trace":
                references.append(self._trace(child, inherited, is_drawn=is_drawn))
            elif tag == "annotation" and not truth:
                truth = (child.text or "").strip()
            elif tag == "annotationXML" and not href:
                href = child.get("href") or ""
            elif tag in ("traceGroup", "traceView"):
                nested += self._group(child, inherited, is_drawn=is_drawn)
        if references:
            self.groups.append((truth, href, references))
        references = references + nested
        identity = element.get(XML_ID) or element.get("id")
        if identity:
            self.members.setdefault(identity, references)
        return references

    def _traces_of(self, references: Iterable[str]) -> list[int]:
        """Indices of the referenced traces, each once, through groups and views."""
        found: dict[int, None] = {}
        stack = list(references)[::-1]
        seen: set[str] = set()
        while stack:
            reference = stack.pop()
            if reference in seen:
                continue
            seen.add(reference)
            if reference in self.ids:  # in CROHME a group may have the id of a trace
                found[self.ids[reference]] = None
            else:
                stack += self.members.get(reference, [])[::-1]
        self.references += len(seen)
        if self.references > _MAX_REFERENCES:
            raise InkmlError(self.name, "its groups and views refer to the same traces repeatedly")
        return list(found)

    def _strokes(self) -> tuple[list[NDArray[np.float32]], dict[int, int]]:
        """The strokes, and the index of the stroke of each trace."""
        drawn = sorted(self.drawn_traces)
        reference = self.traces[drawn[0]][0][1] if drawn else DEFAULT
        found: dict[int, Points] = {}
        for i in drawn:
            parts = [self._points(text, form, reference) for text, form in self.traces[i]]
            self.empty += sum(not len(part) for part in parts)
            points = np.concatenate(parts)
            if len(points):
                found[i] = points
        if not found:
            raise InkmlError(self.name, "there is no stroke with a point in it")
        kept = self._without_outliers(found)
        return self._to_float32(list(kept.values())), {i: number for number, i in enumerate(kept)}

    def _points(self, text: str, form: TraceFormat, reference: TraceFormat) -> Points:
        """Points of a part of a trace in the reference's unit of X, Y downwards."""
        try:
            points = decode_trace(text, form)
        except CodingError as error:
            raise InkmlError(self.name, str(error)) from None
        if points.size and not float(np.abs(points).max()) <= _FLOAT32_MAX:
            raise InkmlError(self.name, "there is a coordinate that is not finite")
        unit = reference.units[0]
        factors = [sign * own.ratio(unit) for sign, own in zip(form.signs, form.units, strict=True)]
        return points if factors == [1, 1] else points * factors

    def _without_outliers(self, strokes: dict[int, Points]) -> dict[int, Points]:
        """Removes points far away from the others."""
        far = far_points(list(strokes.values()))
        if not far.any():
            return strokes
        if not are_removable(far):
            self.notes.append("its strokes are far apart: is this one formula?")
            return strokes
        self.notes.append(f"points far away from the formula are skipped: {int(far.sum())}")
        ends = np.cumsum([len(points) for points in strokes.values()])[:-1]
        near = zip(strokes.items(), np.split(~far, ends), strict=True)
        return {i: points[kept] for (i, points), kept in near if kept.any()}

    def _to_float32(self, strokes: list[Points]) -> list[NDArray[np.float32]]:
        """The strokes in single precision, moved to the origin if they are far away from it.

        Raises:
            InkmlError: if the ink is too large or too small to be drawn.
        """
        points = np.concatenate(strokes)
        low = points.min(axis=0)
        extent = float((points.max(axis=0) - low).max())
        smallest, largest = _EXTENTS
        if extent and not smallest <= extent <= largest:
            raise InkmlError(
                self.name,
                f"the extent of its ink must be between {smallest:.0e} and {largest:.0e} units, "
                f"got {extent:.3g}",
            )
        if extent and float(np.abs(points).max()) > _MAX_OFFSET * extent:
            strokes = [stroke - low for stroke in strokes]
        return [stroke.astype(np.float32) for stroke in strokes]


def _read_head(path: Path) -> bytes:
    with suppress(OSError, ValueError):
        return read_regular_file(path, HEAD)
    return b""


def _read_stream(source: Any) -> bytes:
    """The contents of a file object from its position, if it is InkML."""
    if not all(hasattr(source, name) for name in ("read", "seek", "tell")):
        return b""
    try:
        position = source.tell()
        head = source.read(HEAD)
        source.seek(position)
        if not isinstance(head, bytes) or not is_inkml(head):
            return b""
        return bytes(source.read(MAX_BYTES + 1))
    except (OSError, ValueError):  # closed or not seekable
        return b""
