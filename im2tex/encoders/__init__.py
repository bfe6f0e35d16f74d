"""Encoders: map images and their mask to a `Grid`."""

from im2tex.encoders.base import ENCODERS, Encoder

__all__ = ["ENCODERS", "Encoder"]
