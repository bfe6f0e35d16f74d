"""LaTeX, run in a sandbox: the renderer, and what the layouter shares with it."""
