"""Trace formats and contexts (InkML, sections 3.1 and 4): the channels and units of a trace.

The format of a trace is that of the context to which the trace or its group refers; without a
reference, the last format outside of `definitions`; without one, the only format of the file, if
all contexts agree; otherwise X and Y.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from contextlib import suppress
from dataclasses import dataclass

from im2tex.ink.inkml.document import local_name

XML_ID = "{http://www.w3.org/XML/1998/namespace}id"

_KINDS = ("context", "traceFormat", "inkSource")
_DEFAULT_CONTEXT = "#DefaultContext"
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
_MAX_RATIO = 100.0  # between the units of X and Y; larger ratios are errors of the file


@dataclass(frozen=True, slots=True)
class Unit:
    """One step of a channel.

    Attributes:
        size: its length.
        of: unit of `size`: "m" for metres, otherwise a unit of the file that is no length.
    """

    size: float = 1.0
    of: str = ""

    def ratio(self, other: Unit) -> float:
        """This unit divided by another one; 1 if they cannot be compared."""
        ratio = self.size / other.size
        if self.of != other.of or not 1 / _MAX_RATIO <= ratio <= _MAX_RATIO:
            return 1.0
        return ratio


@dataclass(frozen=True, slots=True)
class TraceFormat:
    """The channels of a trace, as far as they concern X and Y.

    Attributes:
        x: index of X in the values of a point.
        y: index of Y.
        width: number of regular channels; a point has a value for each of them.
        intermittent: number of channels whose values may be missing at the end of a point.
        signs: of X and Y: -1 if values grow to the left or upwards.
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
    """The trace formats of one file.

    Args:
        root: the `ink` element.

    Attributes:
        only: the format of a trace without any other format.
        missing: references to elements that are not in the file, in order.
    """

    def __init__(self, root: ET.Element) -> None:
        self._elements: dict[str, ET.Element] = {}
        self._formats: dict[ET.Element, TraceFormat | None] = {}
        self.missing: dict[str, None] = {}
        for element in root.iter():
            identity = element.get(XML_ID) or element.get("id")
            if identity and local_name(element.tag) in _KINDS:
                self._elements.setdefault(identity, element)
        definitions = [child for child in root if local_name(child.tag) == "definitions"]
        declared = {
            self.format_of(element)
            for parent in (root, *definitions)
            for element in parent
            if local_name(element.tag) in _KINDS
        } - {None}
        self.only = (declared.pop() if len(declared) == 1 else None) or DEFAULT

    def format_of(self, element: ET.Element) -> TraceFormat | None:
        """The format of a `context`, `inkSource` or `traceFormat` element; None if it has none."""
        if element not in self._formats:
            self._formats[element] = self._resolve(element)
        return self._formats[element]

    def referenced_format(self, element: ET.Element) -> TraceFormat | None:
        """The format to which a trace, group or view refers; None if it has no reference."""
        for attribute in ("traceFormatRef", "contextRef"):
            target = self._target(element, attribute)
            found = None if target is None else self.format_of(target)
            if found is not None:
                return found
        return DEFAULT if element.get("contextRef") == _DEFAULT_CONTEXT else None

    def _target(self, element: ET.Element, attribute: str) -> ET.Element | None:
        reference = (element.get(attribute) or "").strip()
        if not reference or reference == _DEFAULT_CONTEXT:
            return None
        found = self._elements.get(reference.removeprefix("#"))
        if found is None:
            self.missing[reference] = None
        return found

    def _resolve(self, element: ET.Element) -> TraceFormat | None:
        """Follows contexts to the trace format, and to the ink source with its resolution."""
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
            link = self._target(link, "contextRef") if local_name(link.tag) == "context" else None
        return None if channels is None else _parse_format(channels, source)

    def _part(self, element: ET.Element, tag: str) -> ET.Element | None:
        """The element itself, its child or the target of its reference with that tag."""
        if local_name(element.tag) == tag:
            return element
        child = next((child for child in element if local_name(child.tag) == tag), None)
        return child if child is not None else self._target(element, f"{tag}Ref")


def _parse_format(element: ET.Element, source: ET.Element | None) -> TraceFormat | None:
    """A `traceFormat` element with the resolutions of its ink source; None without X and Y."""
    regular: list[ET.Element] = []
    intermittent: list[ET.Element] = []
    for child in element:
        tag = local_name(child.tag)
        if tag == "channel":
            regular.append(child)
        elif tag in ("regularChannels", "intermittentChannels"):
            group = regular if tag == "regularChannels" else intermittent
            group += [channel for channel in child if local_name(channel.tag) == "channel"]
    channels = regular + intermittent
    names = [(channel.get("name") or "").strip().upper() for channel in channels]
    if "X" not in names or "Y" not in names:
        return None
    resolutions = {} if source is None else _parse_resolutions(source)
    x, y = names.index("X"), names.index("Y")
    signs = [
        -1 if (channels[i].get("orientation") or "").strip().startswith("-") else 1 for i in (x, y)
    ]
    units = [
        resolutions.get(name) or _parse_unit((channels[i].get("units") or "").strip().lower())
        for name, i in (("X", x), ("Y", y))
    ]
    return TraceFormat(
        x, y, len(regular), len(intermittent), (signs[0], signs[1]), (units[0], units[1])
    )


def _parse_resolutions(source: ET.Element) -> dict[str, Unit]:
    """The steps of an ink source's channels whose resolution has a unit."""
    found: dict[str, Unit] = {}
    for element in source.iter():
        if local_name(element.tag) != "channelProperty" or element.get("name") != "resolution":
            continue
        steps = math.nan
        with suppress(ValueError):
            steps = float(element.get("value") or "")
        if not (steps > 0 and math.isfinite(steps) and math.isfinite(1 / steps)):
            continue
        per = (element.get("units") or "").strip().lower()
        per = "in" if per in ("dpi", "lpi") else per.removeprefix("1/").strip()
        unit = _parse_unit(per)
        name = (element.get("channel") or "").strip().upper()
        found[name] = Unit(unit.size / steps, "m" if unit.of == "m" else f"1/{per}")
    return found


def _parse_unit(name: str) -> Unit:
    return Unit(_METRES[name], "m") if name in _METRES else Unit(1.0, name)
