"""LaTeX in a sandbox: the renderer, and the engine that it shares with the layouter."""
