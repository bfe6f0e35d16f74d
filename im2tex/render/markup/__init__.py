"""Untrusted LaTeX made safe to typeset."""
