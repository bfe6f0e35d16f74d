"""CROHME's canonical form of LaTeX, and its MathML."""
