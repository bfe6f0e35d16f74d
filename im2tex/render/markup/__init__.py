"""Untrusted LaTeX, sanitised."""
