"""The renderer that runs TeX."""
