"""Printed formulas: lists of markup into stores of pictures, as section 4 of the paper has it."""
