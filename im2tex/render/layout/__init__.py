"""Symbols of a formula with their boxes, as TeX sets them."""
