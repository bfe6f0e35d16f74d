"""Source `im2latex`: IM2LATEX-100K as released."""
