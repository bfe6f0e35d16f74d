"""Handwriting as strokes: reading, drawing and varying it."""
