"""im2tex: pictures of formulas, above all handwritten ones, into LaTeX."""

__version__ = "0.1.0"
