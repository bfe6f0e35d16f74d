"""Extracts the formulas of whole LaTeX documents."""
