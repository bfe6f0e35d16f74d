"""Trace formats and contexts (InkML, sections 3.1 and 4): what the numbers of a trace mean.

A trace is coded by the format of the context that it, or its group, refers to; without a reference
by the format last given outside `definitions`; without one by the file's only format, where all
contexts agree; else by X and Y.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from im2tex.ink.inkml.document import local

XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

_REFERENCES = {
    "contextRef": "context",
    "traceFormatRef": "traceFormat",
    "inkSourceRef": "inkSource",
}
_KINDS = tuple(_REFERENCES.values())
_MAX_LINKS = 16  # contexts that refer to one another
_METRES = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "himetric": 1e-5,
    "um": 1e-6,
    "in": 0.0254,
    "inch": 0.0254,
    "pt": 0.0254 / 72,
    "pc": 0.0254 / 6,
    "twip": 0.0254 / 1440,
}
_MAX_RATIO = 100.0  # between the units of X and Y; beyond it the file is wrong about them


@dataclass(frozen=True, slots=True)
class Unit:
    """What one step of a channel is.

    Attributes:
        size: its length.
        of: in what: "m" for metres, else the file's own word for a unit that has no length.
    """

    size: float = 1.0
    of: str = ""

    def ratio(self, other: Unit) -> float:
        """This unit over another one; 1 where they cannot be compared."""
        ratio = self.size / other.size
        if self.of != other.of or not 1 / _MAX_RATIO <= ratio <= _MAX_RATIO:
            return 1.0
        return ratio


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """The channels of a trace, as far as X and Y need them.

    Attributes:
        x: index of X among the values of a point.
        y: index of Y.
        width: regular channels; a point has a value for each of them.
        intermittent: channels whose values may be missing at the end of a point.
        signs: of X and Y: -1 where values grow to the left or upwards.
        units: of X and Y.
    """

    x: int = 0
    y: int = 1
    width: int = 2
    intermittent: int = 0
    signs: tuple[int, int] = (1, 1)
    units: tuple[Unit, Unit] = (Unit(), Unit())


DEFAULT = TraceFormat()


class Contexts:
    """The formats of one file, by what refers to them.

    Args:
        root: the `ink` element.

    Attributes:
        only: the format of a trace that nothing says another one of.
        missing: references to what is not in the file, in order.
    """

    def __init__(self, root: ET.Element) -> None:
        self._elements: dict[tuple[str, str], ET.Element] = {}
        self._formats: dict[ET.Element, TraceFormat | None] = {}
        self.missing: dict[str, None] = {}
        for element in root.iter():
            identity = element.get(XML_ID) or element.get("id")
            if identity and local(element.tag) in _KINDS:
                self._elements.setdefault((local(element.tag), identity), element)
        definitions = [child for child in root if local(child.tag) == "definitions"]
        declared = {
            self.of(element)
            for parent in (root, *definitions)
            for element in parent
            if local(element.tag) in _KINDS
        } - {None}
        self.only = (declared.pop() if len(declared) == 1 else None) or DEFAULT

    def of(self, element: ET.Element) -> TraceFormat | None:
        """The format that a `context`, `inkSource` or `traceFormat` element gives, or None."""
        if element not in self._formats:
            self._formats[element] = self._resolved(element)
        return self._formats[element]

    def referred(self, element: ET.Element) -> TraceFormat | None:
        """The format that a trace, group or view refers to, or None."""
        for attribute in ("traceFormatRef", "contextRef"):
            if attribute == "contextRef" and element.get(attribute) == "#DefaultContext":
                return DEFAULT
            target = self._target(element, attribute)
            if target is not None and (found := self.of(target)) is not None:
                return found
        return None

    def _target(self, element: ET.Element, attribute: str) -> ET.Element | None:
        reference = (element.get(attribute) or "").strip()
        if not reference or reference == "#DefaultContext":
            return None
        kinds = (_REFERENCES[attribute], *_KINDS)
        identity = reference.removeprefix("#")
        found = next(
            (e for k in kinds if (e := self._elements.get((k, identity))) is not None), None
        )
        if found is None:
            self.missing[reference] = None
        return found

    def _resolved(self, element: ET.Element) -> TraceFormat | None:
        """Follows a context to its trace format and to the ink source with its resolution."""
        channels: ET.Element | None = None
        source: ET.Element | None = None
        link: ET.Element | None = element
        for _ in range(_MAX_LINKS):
            if link is None:
                break
            channels = channels if channels is not None else self._part(link, "traceFormat")
            source = source if source is not None else self._part(link, "inkSource")
            if channels is None and source is not None:
                channels = self._part(source, "traceFormat")
            link = self._target(link, "contextRef") if local(link.tag) == "context" else None
        return None if channels is None else _format(channels, source)

    def _part(self, element: ET.Element, tag: str) -> ET.Element | None:
        """The element itself, its child or what it refers to, of the kind asked for."""
        if local(element.tag) == tag:
            return element
        child = next((child for child in element if local(child.tag) == tag), None)
        return child if child is not None else self._target(element, f"{tag}Ref")


def _format(element: ET.Element, source: ET.Element | None) -> TraceFormat | None:
    """A `traceFormat` element with the resolutions of its ink source; None without X and Y."""
    regular: list[ET.Element] = []
    intermittent: list[ET.Element] = []
    for child in element:
        tag = local(child.tag)
        if tag == "channel":
            regular.append(child)
        elif tag in ("regularChannels", "intermittentChannels"):
            group = regular if tag == "regularChannels" else intermittent
            group += [channel for channel in child if local(channel.tag) == "channel"]
    channels = regular + intermittent
    names = [(channel.get("name") or "").strip().upper() for channel in channels]
    if "X" not in names or "Y" not in names:
        return None
    x, y = names.index("X"), names.index("Y")
    pair = (channels[x], channels[y])
    resolutions = {} if source is None else _resolutions(source)
    return TraceFormat(
        x,
        y,
        len(regular),
        len(intermittent),
        (_sign(pair[0]), _sign(pair[1])),
        (_unit(pair[0], resolutions.get("X")), _unit(pair[1], resolutions.get("Y"))),
    )


def _sign(channel: ET.Element) -> int:
    return -1 if (channel.get("orientation") or "").strip().startswith("-") else 1


def _resolutions(source: ET.Element) -> dict[str, Unit]:
    """The steps of an ink source's channels where it gives their number a unit of length."""
    found: dict[str, Unit] = {}
    for element in source.iter():
        if local(element.tag) != "channelProperty" or element.get("name") != "resolution":
            continue
        try:
            steps = float(element.get("value") or "")
        except ValueError:
            continue
        if not (steps > 0 and math.isfinite(steps) and math.isfinite(1 / steps)):
            continue
        per = (element.get("units") or "").strip().lower()
        per = "in" if per in ("dpi", "lpi") else per.removeprefix("1/").strip()
        metres = _METRES.get(per)
        unit = Unit(1 / steps, f"1/{per}") if metres is None else Unit(metres / steps, "m")
        found[(element.get("channel") or "").strip().upper()] = unit
    return found


def _unit(channel: ET.Element, resolution: Unit | None) -> Unit:
    if resolution is not None:
        return resolution
    units = (channel.get("units") or "").strip().lower()
    metres = _METRES.get(units)
    return Unit(1.0, units) if metres is None else Unit(metres, "m")
