"""Source `im2latex`: IM2LATEX-100K, from the released files."""
