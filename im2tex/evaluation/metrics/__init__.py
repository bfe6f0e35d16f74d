"""torchmetrics `Metric`s over token sequences, exact under distributed evaluation.

Every state is a sum of integers, so a value does not depend on how samples were cut into batches
or spread over processes, nor on the order in which they came.
"""

from im2tex.evaluation.metrics.bleu import CorpusBleu
from im2tex.evaluation.metrics.collection import FormulaMetrics
from im2tex.evaluation.metrics.edit_distance import (
    TokenErrorRate,
    TokenExact,
    TokenWithin,
    token_edits,
)
from im2tex.evaluation.metrics.expression_rate import ExpressionRate, GraphScores, compare_graphs
from im2tex.evaluation.metrics.image_scores import ImageScores, compare_pictures
from im2tex.evaluation.metrics.perplexity import Perplexity

__all__ = [
    "CorpusBleu",
    "ExpressionRate",
    "FormulaMetrics",
    "GraphScores",
    "ImageScores",
    "Perplexity",
    "TokenErrorRate",
    "TokenExact",
    "TokenWithin",
    "compare_graphs",
    "compare_pictures",
    "token_edits",
]
