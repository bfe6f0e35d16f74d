"""The paper's normal form of LaTeX: lexer, parser, tree."""
