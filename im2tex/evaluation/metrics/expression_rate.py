"""The expression rate of the CROHME line: label graphs compared, not tokens.

Every figure called expression rate here is this one. A prediction's formula and its reference's are
turned into label graphs and the labels in which these differ are counted; the rules are written
down in `im2tex.latex.label_graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from torch import Tensor

from im2tex.evaluation.metrics.pairs import PairMetric, Tokens, pairs
from im2tex.latex.label_graph.label_graph import (
    GraphComparison,
    compare_label_graphs,
    try_label_graph,
)

Variant: TypeAlias = Literal["crohme2019", "strict"]
_ALLOWED = (0, 1, 2, 3)


class GraphScores(NamedTuple):
    """How one prediction's label graph differs from its reference's.

    Attributes:
        comparison: the label errors; None for a reference that cannot be read, unless the strict
            rules find the prediction the same, token by token.
        read_prediction: whether there is a prediction that can be read.
        read_reference: whether the reference can be read.
    """

    comparison: GraphComparison | None
    read_prediction: bool
    read_reference: bool

    def shares(self, variant: Variant) -> dict[str, bool]:
        """What the sample adds to each rate, by the rate's name; nothing where it is left out."""
        if self.comparison is None and variant == "crohme2019":
            return {}
        right = {_name(n): self._within(n) for n in _ALLOWED}
        right["structure_rate"] = self.comparison is not None and self.comparison.structure_exact
        return {name + _suffix(variant): verdict for name, verdict in right.items()}

    def _within(self, errors: int) -> bool:
        return self.comparison is not None and self.comparison.within(errors)


def compare_graphs(
    prediction: Tokens | None, reference: Tokens, variant: Variant = "crohme2019"
) -> GraphScores:
    """Compares one prediction with its reference; see `ExpressionRate` for the variants."""
    strict = variant == "strict"
    gold = try_label_graph(reference, strict=strict)
    same = prediction is not None and list(prediction) == list(reference)
    guess = gold if same else try_label_graph(prediction, strict=strict)
    comparison = None if gold is None else compare_label_graphs(guess, gold, strict=strict)
    if strict and gold is None and same and reference:
        comparison = GraphComparison(0, 0, structure=True)  # what is the same needs no reading
    return GraphScores(comparison, guess is not None, gold is not None)


class ExpressionRate(PairMetric):
    """Shares of formulas with no label error, at most 1, 2 and 3, and with the right structure.

    In 0..1; nan before the first sample. Two variants:

    * `crohme2019`, for figures beside those of papers: what the CROHME 2019 tools say, as the CoMER
      repository runs them (LaTeX to symLG with pandoc 2.17.1.1, then lgeval), slips included. A
      prediction that they cannot read is compared as an empty one, so that for a reference of one
      symbol it is within 1 error. A reference that they cannot read is left out of all rates.
    * `strict`, ours: a formula that cannot be read is wrong at every number of errors, unless it
      is the reference token by token; upper and lower case are never the same, and entries of
      matrices and contents of fonts count.

    A missing prediction (None) is one that cannot be read. How many could not be read is in the
    states `unread_predictions` and `unread_references`.

    Args:
        variant: `crohme2019` or `strict`.

    Raises:
        ValueError: for another variant.
    """

    higher_is_better = True
    within: Tensor
    structure: Tensor
    samples: Tensor
    unread_predictions: Tensor
    unread_references: Tensor

    def __init__(self, variant: Variant = "crohme2019") -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise ValueError(f"variant must be one of {', '.join(get_args(Variant))}: {variant!r}.")
        self.variant = variant
        self.name = _name(0) + _suffix(variant)
        self.add_sum("within", len(_ALLOWED))
        for state in ("structure", "samples", "unread_predictions", "unread_references"):
            self.add_sum(state)

    @property
    def signature(self) -> str:
        """What makes a figure comparable with others'."""
        if self.variant == "strict":
            return "label-graph:strict|unread:wrong-unless-same"
        return "label-graph:crohme2019(CoMER,pandoc2.17)|unread-prediction:empty|unread-gold:out"

    def update(self, predictions: Sequence[Tokens | None], references: Sequence[Tokens]) -> None:
        """Counts samples; see `pairs` for the arguments and errors."""
        within = [0] * len(_ALLOWED)
        structure = unread_predictions = unread_references = 0
        for pair in pairs(predictions, references):
            verdict = compare_graphs(*pair, self.variant)
            comparison = verdict.comparison
            unread_predictions += not verdict.read_prediction
            unread_references += not verdict.read_reference
            if comparison is not None:
                structure += comparison.structure_exact
                for i, errors in enumerate(_ALLOWED):
                    within[i] += comparison.within(errors)
        self.within += self.within.new_tensor(within)
        self.structure += structure
        self.samples += len(references)
        self.unread_predictions += unread_predictions
        self.unread_references += unread_references

    def compute(self) -> dict[str, Tensor]:
        """The shares.

        Returns:
            Scalars `expression_rate`, `expression_rate_1`, `_2`, `_3` and `structure_rate`; the
            strict ones are `expression_rate_strict`, `expression_rate_1_strict` and so on.
        """
        scored = int(self.samples)
        if self.variant == "crohme2019":
            scored -= int(self.unread_references)
        hits = {_name(n): int(self.within[i]) for i, n in enumerate(_ALLOWED)}
        hits["structure_rate"] = int(self.structure)
        return {
            name + _suffix(self.variant): self.value(count / scored if scored else float("nan"))
            for name, count in hits.items()
        }


def _name(errors: int) -> str:
    return f"expression_rate_{errors}" if errors else "expression_rate"


def _suffix(variant: Variant) -> str:
    return "" if variant == "crohme2019" else f"_{variant}"
