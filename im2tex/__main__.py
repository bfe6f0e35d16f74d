"""`python -m im2tex`."""

from im2tex.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
