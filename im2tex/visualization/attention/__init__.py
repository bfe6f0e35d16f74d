"""Attention of a prediction: its record, and the page and the strip that show it."""
