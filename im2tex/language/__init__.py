"""Models of formulas alone, without a picture: how far a prior takes one."""

from im2tex.language.ngram import KneserNey

__all__ = ["KneserNey"]
