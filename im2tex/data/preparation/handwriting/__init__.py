"""Synthetic handwriting: formulas laid out once, written by hand when they are loaded."""
