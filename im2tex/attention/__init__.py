"""Attention: computes a context from a query and the cells of a grid."""

from im2tex.attention.base import ATTENTIONS, Attention, AttentionOutput

__all__ = ["ATTENTIONS", "Attention", "AttentionOutput"]
