"""Comparison of two results, with tests of significance."""
