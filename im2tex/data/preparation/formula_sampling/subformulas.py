r"""Finds the sub-formulas of a formula: contents of groups, sides of equations, terms and sums.

A row (the formula, an argument, a script, the inside of brackets) is cut only before and after its
relations, operators and commas. So no function loses its argument, no base its script, and every
bracket keeps its partner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from im2tex.data.preparation.formula_sampling.structural_tokens import (
    CLOSES,
    OPENS,
    SUB,
    SUP,
    UNSUPPORTED,
    tokens_of,
)

_RELATIONS = r"= < > \leq \geq \neq \in \rightarrow \equiv \approx \sim \simeq \propto \subset"
_ARROWS = r"\Rightarrow \Leftrightarrow \mapsto \leftrightarrow \iff \implies"
_OPERATORS = r"+ - \pm \mp \times \cdot \div / \cup \cap \wedge \otimes \oplus"
_PUNCTUATION = r", . ; : & \colon \mid \| ( ) [ ] \{ \} |"  # brackets without a partner included
SEPARATORS = frozenset(f"{_RELATIONS} {_ARROWS} {_OPERATORS} {_PUNCTUATION}".split())
"""Signs before and after which a row can be cut."""

_NEVER_FIRST = SEPARATORS | {SUB, SUP}  # a script whose base is unsupported has no base
_LEADING = frozenset(["-", "\\pm"])  # operators that need no left operand


def subformula_spans(
    signs: Sequence[str], is_known: Callable[[str], bool], max_tokens: int
) -> Iterator[tuple[int, int]]:
    """Yields the spans of the sub-formulas of a formula, including the formula itself.

    Args:
        signs: signs of the formula, see `structural_tokens`.
        is_known: whether a sign may occur in a sub-formula.
        max_tokens: length of the longest sub-formula in canonical tokens.

    Yields:
        Index of the first sign and index after the last one, each pair once.
    """
    size = [0]  # tokens before each sign
    unknown = [0]  # unknown signs before each sign
    for sign in signs:
        size.append(size[-1] + len(tokens_of(sign)))
        unknown.append(unknown[-1] + (sign[0] == UNSUPPORTED or not is_known(sign)))

    def spans(limits: list[int]) -> Iterator[tuple[int, int]]:
        for i, limit in enumerate(limits[:-1]):
            # A leading sign is included in one sub-formula and omitted from another.
            for start in (limit, limit + 1) if i and signs[limit] in _LEADING else (limit + 1,):
                for end in limits[i + 1 :]:
                    if size[end] - size[start] > max_tokens or unknown[end] > unknown[start]:
                        break
                    inside = signs[limit + 1 : end]
                    if inside and inside[0] not in _NEVER_FIRST and inside[-1] not in SEPARATORS:
                        yield start, end

    rows = [[-1]]  # for each open row, the indices at which it can be cut
    for i, sign in enumerate(signs):
        if sign in CLOSES and len(rows) > 1:
            yield from spans([*rows.pop(), i])
        if sign in OPENS:
            rows.append([i])
        elif sign in SEPARATORS or sign[0] == UNSUPPORTED:
            rows[-1].append(i)
    yield from spans([*rows[0], len(signs)])
