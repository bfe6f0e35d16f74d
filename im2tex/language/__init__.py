"""Models of formulas alone, without a picture: how far a prior takes one."""

from im2tex.language.kneser_ney import KneserNey

__all__ = ["KneserNey"]
