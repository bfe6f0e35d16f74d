"""Handwritten formulas as strokes and images: InkML, rasterisation, augmentation, composition."""
