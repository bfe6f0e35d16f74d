"""Extracts the formulas of papers from their LaTeX sources."""

from im2tex.data.preparation.papers.paper import Paper
from im2tex.data.preparation.papers.reading import read_papers

__all__ = ["Paper", "read_papers"]
