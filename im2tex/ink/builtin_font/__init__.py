"""The built-in single-stroke font, and formulas typeset in it."""
