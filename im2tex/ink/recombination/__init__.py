"""New handwritten formulas from the symbols and parts of others."""
