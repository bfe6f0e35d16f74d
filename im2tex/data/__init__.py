"""Sources of formulas, their stores, and batches made of them."""
