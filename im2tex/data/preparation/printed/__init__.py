"""Printed formulas: renders markup to stores of images as in section 4 of Deng et al. 2017."""
