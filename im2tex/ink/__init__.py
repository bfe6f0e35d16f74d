"""Handwritten formulas as strokes and images: reading, rasterising, augmenting, composing."""
