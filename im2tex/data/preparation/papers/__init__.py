"""LaTeX sources of papers, as they come, and the formulas in them."""

from im2tex.data.preparation.papers.paper import Paper
from im2tex.data.preparation.papers.reading import read_papers
from im2tex.latex.document.extraction import ExtractedFormula

__all__ = ["ExtractedFormula", "Paper", "read_papers"]
