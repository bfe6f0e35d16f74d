"""The built-in sources of formulas, one in each module."""
