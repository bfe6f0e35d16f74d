"""TeX's styles: 0 display, 1 text, 2 script, 3 scriptscript. Which holds where in a formula."""

from __future__ import annotations


def script(size: int) -> int:
    """That of a script, in a formula of this style."""
    return 2 if size < 2 else 3


def smaller(size: int) -> int:
    """That above and below a fraction's bar."""
    return min(size + 1, 3)


def of_argument(command: str, number: int, size: int) -> int:
    """That in an argument of a command.

    Args:
        command: whose.
        number: of the argument, from 0.
        size: the style around the command.
    """
    if command in ("\\frac", "\\binom"):
        return smaller(size)
    if command in ("\\tfrac", "\\tbinom"):
        return 2
    if command in ("\\dfrac", "\\dbinom"):
        return 1
    if command == "\\cfrac":
        return 0
    raised = number == 0 and command in ("\\overset", "\\underset", "\\stackrel")
    return script(size) if raised or command in ("\\xleftarrow", "\\xrightarrow") else size
