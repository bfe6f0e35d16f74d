"""A whole LaTeX document, and the formulas in it."""
