"""Converts raw data to stores: archives, downloads, papers, printed and synthetic formulas."""
