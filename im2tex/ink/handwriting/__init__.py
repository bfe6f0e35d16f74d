"""Composes handwriting of layouts: every printed symbol is replaced by a drawn one."""

from im2tex.ink.handwriting.compose import Composer
from im2tex.ink.handwriting.style import NATURAL, PAPER, HandwritingStyle, WriterStyle, WriterStyles

__all__ = [
    "NATURAL",
    "PAPER",
    "Composer",
    "HandwritingStyle",
    "WriterStyle",
    "WriterStyles",
]
