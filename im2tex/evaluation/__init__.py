"""Scores of samples, metrics, result files, comparisons and reports."""
