"""Decoder `transformer`."""
