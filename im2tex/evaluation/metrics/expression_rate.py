"""The expression rate (ExpRate) of the CROHME literature: label graphs compared, not tokens.

Every value called expression rate in this package is this one. The prediction and the reference
are turned into label graphs, and the labels in which the two differ are counted; the rules are
those of `im2tex.latex.label_graph`. Two variants:

* `crohme2019`, for comparison with published values: what the CROHME 2019 tools give, as the CoMER
  repository runs them (LaTeX to symLG with pandoc 2.17.1.1, then lgeval), mistakes included. A
  prediction that these tools cannot read is compared as an empty one, so that it is within 1 error
  of a reference of one symbol. A reference that they cannot read has no score.
* `strict`, ours: a formula that cannot be read is wrong at every number of errors, unless
  prediction and reference are the same, token by token; upper and lower case differ, and the
  entries of matrices and the contents of fonts count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from im2tex.evaluation.metrics.names import RATES
from im2tex.latex.label_graph.label_graph import (
    GraphComparison,
    compare_label_graphs,
    try_label_graph,
)

Variant: TypeAlias = Literal["crohme2019", "strict"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
_SUFFIXES: dict[Variant, str] = {"crohme2019": "", "strict": "_strict"}

GRAPH_SCORES = tuple(
    f"{name}{suffix}" for suffix in _SUFFIXES.values() for name in (*RATES, "structure_rate")
)
"""Names of the true-or-false scores of `graph_scores`."""

SIGNATURES = {
    "expression_rate": "label-graph:crohme2019(CoMER,pandoc2.17)|unread-prediction:empty"
    "|unread-gold:out",
    "expression_rate_strict": "label-graph:strict|unread:wrong-unless-same",
}
"""Signature by metric: values with the same signature are comparable."""


def graph_scores(
    prediction: Sequence[str] | None, reference: Sequence[str], variant: Variant = "crohme2019"
) -> dict[str, bool | int]:
    """Compares the label graphs of a prediction and its reference.

    Args:
        prediction: the predicted tokens; None for a missing prediction, which cannot be read.
        reference: the reference tokens.
        variant: the rules, see the module.

    Returns:
        `expression_rate` (no label error), `expression_rate_1`, `_2`, `_3` (at most so many),
        `structure_rate` (the same structure, whatever the labels) and `expression_errors`; with
        `strict` each name ends in `_strict`. Without a score for the reference there are none.
        `crohme2019` adds `prediction_has_graph` and `reference_has_graph`.

    Raises:
        ValueError: for another variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}.")
    strict = variant == "strict"
    scores: dict[str, bool | int] = {}
    comparison: GraphComparison | None = None
    same = prediction is not None and bool(reference) and list(prediction) == list(reference)
    if strict and same:
        comparison = GraphComparison(0, 0, structure=True)
    else:
        gold = try_label_graph(reference, strict=strict)
        guess = gold if same else try_label_graph(prediction, strict=strict)
        if gold is not None:
            comparison = compare_label_graphs(guess, gold, strict=strict)
        if not strict:
            scores["prediction_has_graph"] = guess is not None
            scores["reference_has_graph"] = gold is not None
    if comparison is None and not strict:
        return scores
    suffix = _SUFFIXES[variant]
    for errors, name in enumerate(RATES):
        scores[name + suffix] = comparison is not None and comparison.within(errors)
    scores[f"structure_rate{suffix}"] = comparison is not None and comparison.structure_exact
    if comparison is not None and comparison.comparable:
        scores[f"expression_errors{suffix}"] = comparison.errors
    return scores
