"""Synthetic handwriting: selects and typesets formulas; the ink is composed at load time."""
