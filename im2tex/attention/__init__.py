"""Attention: a query and the cells of a grid to a context."""

from im2tex.attention.base import ATTENTIONS, Attention, AttentionOutput

__all__ = ["ATTENTIONS", "Attention", "AttentionOutput"]
