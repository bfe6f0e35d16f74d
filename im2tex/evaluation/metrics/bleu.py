"""Corpus BLEU over tokens, through sacrebleu.

4-gram, one reference, case-sensitive, no tokenisation and no smoothing: what multi-bleu.perl gives
on space-separated tokens (the paper's figure, section 6 of its evaluation), without perl. BLEU is
a function of corpus-wide counts; those are the states, so batches and processes add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER
from torch import Tensor

from im2tex.evaluation.metrics.pairs import PairMetric, Tokens, pairs


class CorpusBleu(PairMetric):
    """Corpus BLEU in 0..100, equal to sacrebleu's `corpus_score` on all samples together.

    0 where no 4-gram matches, as there is no smoothing. nan, which is undefined, where no reference
    has as many as 4 tokens, and before the first sample: no prediction could match a 4-gram there,
    and sacrebleu says 0 of right ones. A shorter reference among longer ones adds its shorter
    n-grams, as in sacrebleu. A missing prediction counts as an empty one.

    Args:
        name: of the metric, where there are several over different forms of the same formulas.
        sync_on_compute: whether processes add up what they have counted; without, a process that
            has all samples can compute alone.
    """

    higher_is_better = True
    correct: Tensor
    total: Tensor
    lengths: Tensor
    long_references: Tensor

    def __init__(self, name: str = "bleu", *, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self.name = name
        # force: do not warn of references that look tokenised, for they are.
        self._bleu = BLEU(tokenize="none", smooth_method="none", force=True)
        self.add_sum("correct", MAX_NGRAM_ORDER)
        self.add_sum("total", MAX_NGRAM_ORDER)
        self.add_sum("lengths", 2)  # predictions, references
        self.add_sum("long_references")  # of at least as many tokens as the longest n-grams

    @property
    def signature(self) -> str:
        """What makes the figure comparable, as sacrebleu writes it."""
        self._bleu.num_refs = 1  # sacrebleu learns it from a first corpus
        return str(self._bleu.get_signature())

    def update(self, predictions: Sequence[Tokens | None], references: Sequence[Tokens]) -> None:
        """Counts n-grams; see `pairs` for the arguments and errors."""
        checked = list(pairs(predictions, references))
        if not checked:
            return
        score = self._bleu.corpus_score(
            [_line(prediction or ()) for prediction, _ in checked],
            [[_line(reference) for _, reference in checked]],
        )
        self.correct += self.correct.new_tensor(score.counts)
        self.total += self.total.new_tensor(score.totals)
        self.lengths += self.lengths.new_tensor([score.sys_len, score.ref_len])
        self.long_references += sum(len(one) >= MAX_NGRAM_ORDER for _, one in checked)

    def compute(self) -> Tensor:
        """The score, a scalar."""
        if not int(self.long_references):
            return self.value(float("nan"))
        prediction_length, reference_length = self.lengths.tolist()
        score = BLEU.compute_bleu(
            self.correct.tolist(),
            self.total.tolist(),
            prediction_length,
            reference_length,
            smooth_method="none",
        )
        return self.value(score.score)


def _line(tokens: Tokens) -> str:
    return " ".join(map(_without_space, tokens))


def _without_space(token: str) -> str:
    r"""The token as one word: sacrebleu splits at white space, which a token may hold (`\ `)."""
    if token.split() == [token]:
        return token
    return "".join(f"\\u{ord(c):04x}" if c.isspace() else c for c in token) or "\\u"
