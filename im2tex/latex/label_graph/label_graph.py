"""Label graphs of formulas and the number of labels in which two of them differ.

A label graph has a label a symbol and a label a pair of related symbols. The CROHME 2019 tools
(lgeval, as the CoMER repository runs it) know a symbol by its place alone: the path of relations
from the first symbol of the formula. So symbols are compared place by place, there is no
alignment, and a missing symbol moves all that follows on its line, with its scripts.

The tools' rules for comparing:

* A place whose labels differ, or that only one graph has, is one node error. A pair of places that
  only one graph relates, or that they relate differently, is one edge error. The two together are
  the label errors. A wrong symbol is 1 error, a missing last one 2, a script on the other corner 4.
* Several symbols can be at one place, where a script has nothing to stand on and in matrices. Their
  labels are a set then, and sets agree that have one label in common: the wrong entry of a matrix
  costs nothing. The same holds of relations.
* The structure is right where both graphs have the same places and related pairs.
* A prediction without graph is compared as an empty one: it has as many errors as the reference has
  symbols and edges, 1 for a single symbol, 3 for two.

* A reference without graph is not compared: it is no part of any rate.

With `strict`, the labels at one place must all agree, each missing, wrong or surplus one is an
error, and a formula without graph on either side is wrong whatever is allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from im2tex.latex.label_graph.layout_tree import NONE, RIGHT, layout_tree
from im2tex.latex.tokens import LatexError


@dataclass(frozen=True, slots=True)
class LabelGraph:
    """A formula's label graph.

    A place is written with runs of `Right` counted: `O` is the formula's first symbol, `O2` the
    third (`ORR` in the tools' files), `O1Sup` the exponent of the second, `O1Sup1` what follows it.

    Attributes:
        nodes: the labels at each place.
        edges: the relations of each pair of places, as a rule one.
        symbols: number of symbols.
        relations: number of edges between symbols.
    """

    nodes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    edges: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    symbols: int = 0
    relations: int = 0


@dataclass(frozen=True, slots=True)
class GraphComparison:
    """How a prediction differs from its reference.

    Attributes:
        node_errors: places with other labels.
        edge_errors: pairs with another relation.
        structure: whether places and pairs are the same.
        comparable: whether both formulas have a graph, or the tools' rules do without.
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
        """Label errors, of nodes and edges."""
        return self.node_errors + self.edge_errors

    def within(self, errors: int) -> bool:
        """Whether there are at most so many label errors; never for one that does not count."""
        return self.comparable and self.errors <= errors


def label_graph(tokens: Sequence[str], *, strict: bool = False) -> LabelGraph:
    """The label graph of a formula.

    Args:
        tokens: the formula's tokens, read as if joined by single spaces.
        strict: by the strict rules of `layout_tree` instead of the tools'.

    Returns:
        Its graph.

    Raises:
        LatexError: where it has none; see `layout_tree`.
    """
    labels, parents, relations, extra = layout_tree(tokens, strict=strict)
    nodes: dict[str, tuple[str, ...]] = {}
    edges: dict[tuple[str, str], tuple[str, ...]] = {}
    places: list[str] = []
    # A place is the place where its line begins and how far to the right of it.
    lines: list[tuple[str, int]] = []
    for label, parent, relation in zip(labels, parents, relations, strict=True):
        if parent == NONE:
            line, right = "O", 0
        elif relation == RIGHT:
            line, right = lines[parent]
            right += 1
        else:
            line, right = places[parent] + relation, 0
        place = f"{line}{right}" if right else line
        lines.append((line, right))
        places.append(place)
        nodes[place] = (*nodes[place], label) if place in nodes else (label,)
        if parent != NONE:
            pair = places[parent], place
            edges[pair] = (*edges[pair], relation) if pair in edges else (relation,)
    for start, end, relation in extra:
        pair = places[start], places[end]
        # lgeval ignores an edge from a place to itself, which two roots at one place can have.
        if pair[0] != pair[1]:
            edges[pair] = (*edges.get(pair, ()), relation)
    related = sum(parent != NONE for parent in parents) + len(extra)
    return LabelGraph(nodes, edges, len(labels), related)


def try_label_graph(tokens: Sequence[str] | None, *, strict: bool = False) -> LabelGraph | None:
    """The label graph of a formula; None for one that has none, and for None."""
    try:
        return None if tokens is None else label_graph(tokens, strict=strict)
    except LatexError:
        return None


def compare_formulas(
    prediction: Sequence[str] | None, reference: Sequence[str], *, strict: bool = False
) -> GraphComparison | None:
    """Counts the label errors of a predicted formula.

    Args:
        prediction: its tokens, None for a missing one; need not be readable.
        reference: the gold tokens.
        strict: by the strict rules instead of the tools'.

    Returns:
        The errors; None for a reference without graph, which the tools do not score. With `strict`
        such a reference gives a comparison that is wrong whatever is allowed.
    """
    gold = try_label_graph(reference, strict=strict)
    guess = try_label_graph(prediction, strict=strict)
    if gold is not None:
        return compare_label_graphs(guess, gold, strict=strict)
    return GraphComparison(0, 0, False, False) if strict else None


_EMPTY = LabelGraph()


def compare_label_graphs(
    prediction: LabelGraph | None, reference: LabelGraph, *, strict: bool = False
) -> GraphComparison:
    """Counts the label errors of a prediction.

    Args:
        prediction: its graph; None where it has none.
        reference: the gold graph.
        strict: by the strict rules; both graphs must be strict ones then.

    Returns:
        The errors. Without `strict` the two graphs can change places.
    """
    guess = prediction or _EMPTY
    return GraphComparison(
        _errors(guess.nodes, reference.nodes, strict),
        _errors(guess.edges, reference.edges, strict),
        guess.nodes.keys() == reference.nodes.keys()
        and guess.edges.keys() == reference.edges.keys(),
        prediction is not None or not strict,
    )


_Where = TypeVar("_Where", str, tuple[str, str])


def _errors(
    guess: dict[_Where, tuple[str, ...]], gold: dict[_Where, tuple[str, ...]], strict: bool
) -> int:
    if guess == gold:
        return 0
    differ = _differing if strict else _disjoint
    missing = gold.keys() - guess.keys()
    return sum(differ((), gold[where]) for where in missing) + sum(
        differ(labels, gold.get(where, ()))
        for where, labels in guess.items()
        if labels != gold.get(where)
    )


def _disjoint(labels: tuple[str, ...], gold: tuple[str, ...]) -> int:
    return int(set(labels).isdisjoint(gold))


def _differing(labels: tuple[str, ...], gold: tuple[str, ...]) -> int:
    return max(len(labels), len(gold)) - (Counter(labels) & Counter(gold)).total()
