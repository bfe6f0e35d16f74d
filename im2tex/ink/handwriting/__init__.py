"""Layouts to handwriting: every symbol replaced by a drawn one."""

from im2tex.ink.handwriting.compose import Composer
from im2tex.ink.handwriting.style import FAITHFUL, NATURAL, Manner

__all__ = ["FAITHFUL", "NATURAL", "Composer", "Manner"]
