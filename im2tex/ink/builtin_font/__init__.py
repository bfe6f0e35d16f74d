"""The built-in single-stroke font, and a small typesetter for it."""
