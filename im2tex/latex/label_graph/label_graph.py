"""Label graphs of formulas and the number of labels in which two of them differ.

A label graph has a label a symbol and a label a pair of related symbols. The rules, by which it is
made and compared, are in the docstring of the package.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from im2tex.latex.label_graph.layout_tree import NONE, RIGHT, LayoutTree, layout_tree
from im2tex.latex.tokens import LatexError


@dataclass(frozen=True, slots=True)
class LabelGraph:
    """A formula's label graph.

    A position is written with runs of `Right` counted: `O` is the formula's first symbol, `O2` the
    third (`ORR` in lgeval's files), `O1Sup` the exponent of the second, `O1Sup1` the symbol
    behind it.

    Attributes:
        nodes: the labels at each position.
        edges: the relations of each pair of positions, usually a single relation.
    """

    nodes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    edges: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphComparison:
    """The differences between a prediction and its reference.

    Attributes:
        node_errors: positions with other labels.
        edge_errors: pairs with another relation.
        structure: whether positions and pairs are the same.
        comparable: False under the strict rules for a formula without graph.
    """

    node_errors: int
    edge_errors: int
    structure: bool
    comparable: bool = True

    @property
    def structure_exact(self) -> bool:
        """Whether the structure is right, whatever the labels."""
        return self.structure and self.comparable

    @property
    def errors(self) -> int:
        """Number of label errors, of nodes and edges."""
        return self.node_errors + self.edge_errors

    def within(self, errors: int) -> bool:
        """Whether there are at most this number of label errors; False if not comparable."""
        return self.comparable and self.errors <= errors


def label_graph(tokens: Sequence[str], *, strict: bool = False) -> LabelGraph:
    """The label graph of a formula; graphs of the last formulas are kept.

    >>> label_graph(["x", "^", "2"]).nodes
    {'O': ('x',), 'OSup': ('2',)}

    Args:
        tokens: the formula's tokens, read as if joined by single spaces.
        strict: by the strict rules instead of those of the CROHME 2019 tools.

    Returns:
        Its graph.

    Raises:
        LatexError: where it has none; see `layout_tree`.
    """
    graph = _cached_graph(" ".join(tokens), strict)
    if isinstance(graph, LatexError):
        raise graph.with_traceback(None)
    return graph


# Markup of which the two sets of rules make different graphs.
_STRICT_DIFFERS = re.compile(
    r"\\(?:begin|substack|boxed|[dt]frac|Gamma|text|mbox|math|bm|symbf|pmb|boldsymbol)|Γ"
)


@lru_cache(maxsize=1024)
def _cached_graph(source: str, strict: bool) -> LabelGraph | LatexError:
    if strict and not _STRICT_DIFFERS.search(source):
        graph = _cached_graph(source, False)
        if isinstance(graph, LabelGraph):
            return graph
    try:
        return _build_graph(layout_tree([source], strict=strict))
    except LatexError as error:
        return error


def _build_graph(tree: LayoutTree) -> LabelGraph:
    nodes: dict[str, tuple[str, ...]] = {}
    edges: dict[tuple[str, str], tuple[str, ...]] = {}
    positions: list[str] = []
    # A position is the position where its line begins, and a number of steps to the right.
    lines: list[tuple[str, int]] = []
    for label, parent, relation in zip(tree.labels, tree.parents, tree.relations, strict=True):
        if relation == RIGHT:
            line, right = lines[parent]
            right += 1
            position = f"{line}{right}"
        else:
            line = position = "O" if parent == NONE else positions[parent] + relation
            right = 0
        lines.append((line, right))
        positions.append(position)
        nodes[position] = (*nodes[position], label) if position in nodes else (label,)
        if parent != NONE:
            pair = positions[parent], position
            edges[pair] = (*edges[pair], relation) if pair in edges else (relation,)
    for start, end, relation in tree.extra:
        pair = positions[start], positions[end]
        # lgeval ignores an edge from a position to itself, as between two roots at one position.
        if pair[0] != pair[1]:
            edges[pair] = (*edges.get(pair, ()), relation)
    return LabelGraph(nodes, edges)


def try_label_graph(tokens: Sequence[str] | None, *, strict: bool = False) -> LabelGraph | None:
    """The label graph of a formula; None for a formula without graph, and for None."""
    graph = None if tokens is None else _cached_graph(" ".join(tokens), strict)
    return graph if isinstance(graph, LabelGraph) else None


_EMPTY = LabelGraph()


def compare_label_graphs(
    prediction: LabelGraph | None, reference: LabelGraph, *, strict: bool = False
) -> GraphComparison:
    """Counts the label errors of a prediction.

    Args:
        prediction: its graph; None if it has none.
        reference: the gold graph.
        strict: by the strict rules, of which both graphs must be.

    Returns:
        The errors. Without `strict` the comparison is symmetric.
    """
    guess = prediction or _EMPTY
    return GraphComparison(
        _count_errors(guess.nodes, reference.nodes, strict),
        _count_errors(guess.edges, reference.edges, strict),
        guess.nodes.keys() == reference.nodes.keys()
        and guess.edges.keys() == reference.edges.keys(),
        prediction is not None or not strict,
    )


_Key = TypeVar("_Key", str, tuple[str, str])


def _count_errors(
    guess: dict[_Key, tuple[str, ...]], gold: dict[_Key, tuple[str, ...]], strict: bool
) -> int:
    if guess == gold:
        return 0
    differ = _count_differences if strict else _differ
    missing = gold.keys() - guess.keys()
    return sum(differ((), gold[key]) for key in missing) + sum(
        differ(labels, gold.get(key, ()))
        for key, labels in guess.items()
        if labels != gold.get(key)
    )


def _differ(labels: tuple[str, ...], gold: tuple[str, ...]) -> int:
    return int(set(labels).isdisjoint(gold))


def _count_differences(labels: tuple[str, ...], gold: tuple[str, ...]) -> int:
    if len(labels) < 2 and len(gold) < 2:
        return 1  # callers compare unequal labels only
    return max(len(labels), len(gold)) - (Counter(labels) & Counter(gold)).total()
