"""Recombines symbols and parts of handwritten samples to new ones."""
