"""Markup to pixels."""
