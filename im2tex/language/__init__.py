"""Language models of formulas, which predict tokens without an image."""

from im2tex.language.ngram import KneserNey

__all__ = ["KneserNey"]
