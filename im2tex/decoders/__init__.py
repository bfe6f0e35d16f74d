"""Decoders: a `Grid` to a loss in training, to hypotheses in use."""

from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Decoder, Targets
from im2tex.decoders.beam_search import Hypothesis, SearchOptions

__all__ = ["DECODERS", "AutoregressiveDecoder", "Decoder", "Hypothesis", "SearchOptions", "Targets"]
