"""Markup: tokens, trees, normal forms. Standard library only."""
