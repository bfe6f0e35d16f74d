"""Reads InkML: strokes, labels, and the strokes of each symbol.

The format is the W3C recommendation of 20 September 2011; the most important files are those of the
CROHME competitions (2011 to 2019, seven exporters) and of MathWriting. Supported are trace formats,
contexts and their references (`contexts`), all value codings of section 3.2.1 (`coding`),
orientation and units of X and Y, continued and pen-up traces, `definitions`, trace groups and trace
views (`reader`). Canvas transforms and channel mappings are ignored.

`document` parses untrusted bytes, `outliers` finds points far away from the formula.
"""

from im2tex.ink.inkml.contents import Inkml, SymbolGroup
from im2tex.ink.inkml.document import InkmlError, is_inkml
from im2tex.ink.inkml.reader import read_if_inkml, read_inkml

__all__ = ["Inkml", "InkmlError", "SymbolGroup", "is_inkml", "read_if_inkml", "read_inkml"]
