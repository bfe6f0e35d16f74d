r"""Sub-formulas out of a formula: contents of groups, sides of equations, terms and sums of them.

A row (the formula itself, an argument, a script, the inside of brackets) is cut in front of and
behind its relations, operators and commas, never elsewhere: so no function loses its argument and
no base its script, and every bracket keeps its partner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from im2tex.data.preparation.formula_sampling.signs import (
    CLOSES,
    FOREIGN,
    OPENS,
    SUB,
    SUP,
    tokens_of,
)

_RELATIONS = r"= < > \leq \geq \neq \in \rightarrow \equiv \approx \sim \simeq \propto \subset"
_ARROWS = r"\Rightarrow \Leftrightarrow \mapsto \leftrightarrow \iff \implies"
_OPERATORS = r"+ - \pm \mp \times \cdot \div / \cup \cap \wedge \otimes \oplus"
_PUNCTUATION = r", . ; : & \colon \mid \| ( ) [ ] \{ \} |"  # a lone bracket also parts
SEPARATORS = frozenset(f"{_RELATIONS} {_ARROWS} {_OPERATORS} {_PUNCTUATION}".split())
"""Signs in front of and behind which a row may be cut."""

_NEVER_FIRST = SEPARATORS | {SUB, SUP}  # a script whose base is foreign would be left alone
_LEADING = frozenset(["-", "\\pm"])  # may stand where there is nothing on the left


def subformula_spans(
    signs: Sequence[str], known: Callable[[str], bool], longest: int
) -> Iterator[tuple[int, int]]:
    """Where sub-formulas lie in a formula; itself is one of them, if it fits.

    Args:
        signs: of the formula, from `im2tex.data.preparation.formula_sampling.signs.signs`.
        known: says which signs may occur in what is cut.
        longest: the most tokens that a cut may have.

    Yields:
        First sign and the one behind the last, each pair once.
    """
    size = [0]  # tokens before each sign
    strange = [0]  # unknown signs before it
    for sign in signs:
        size.append(size[-1] + len(tokens_of(sign)))
        strange.append(strange[-1] + (sign[0] == FOREIGN or not known(sign)))

    def runs(limits: list[int]) -> Iterator[tuple[int, int]]:
        for i, limit in enumerate(limits[:-1]):
            # A leading sign is taken along and left out; it has a limit of its own.
            for start in (limit, limit + 1) if i and signs[limit] in _LEADING else (limit + 1,):
                for end in limits[i + 1 :]:
                    if size[end] - size[start] > longest or strange[end] > strange[start]:
                        break
                    inside = signs[limit + 1 : end]
                    if inside and inside[0] not in _NEVER_FIRST and inside[-1] not in SEPARATORS:
                        yield start, end

    rows = [[-1]]  # for each open row, where it may be cut
    for i, sign in enumerate(signs):
        if sign in CLOSES and len(rows) > 1:
            yield from runs([*rows.pop(), i])
        if sign in OPENS:
            rows.append([i])
        elif sign in SEPARATORS or sign[0] == FOREIGN:
            rows[-1].append(i)
    yield from runs([*rows[0], len(signs)])
