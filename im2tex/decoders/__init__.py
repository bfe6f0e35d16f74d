"""Decoders: map a `Grid` to a loss in training and to hypotheses in inference."""

from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Decoder, Targets
from im2tex.decoders.beam_search import Hypothesis, SearchOptions

__all__ = ["DECODERS", "AutoregressiveDecoder", "Decoder", "Hypothesis", "SearchOptions", "Targets"]
