"""Layouts of formulas: their symbols with boxes, as TeX typesets them."""
