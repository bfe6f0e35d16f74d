"""The names of the metrics: their groups in a table, and the columns of shorter tables."""

from __future__ import annotations

RATES = ("expression_rate", "expression_rate_1", "expression_rate_2", "expression_rate_3")
_IMAGES = ("image_match", "image_match_no_space", "image_edit_score")
_RELEASED = tuple(f"{name}_released" for name in _IMAGES)

BLEUS = ("bleu", "bleu_norm", "bleu_tok")
TOKEN_SCORES = ("token_exact", "token_within_1", "token_within_2", "token_within_3")
IMAGE_SCORES = (*_IMAGES[:2], "image_exact", *_RELEASED[:2])

MAIN_METRICS = (*RATES[:3], "image_match", "token_exact")
"""Metrics that are given for each group of samples."""

LOOKUPS = ("lookups_coarse", "lookups_fine")
STUDY_METRICS = (
    *MAIN_METRICS[:4],
    _RELEASED[0],
    "token_exact",
    "bleu_norm",
    "perplexity",
    *LOOKUPS,
)
"""Columns of a study by default."""

GROUPS: dict[str, tuple[str, ...]] = {
    "": (*MAIN_METRICS, "bleu_norm", "perplexity"),
    "label graphs, as the CROHME 2019 tools compare them": (RATES[3], "structure_rate"),
    "label graphs, strict": tuple(f"{name}_strict" for name in (*RATES, "structure_rate")),
    "images": (*_IMAGES[1:], "image_exact"),
    "images, as the script of Deng et al. compares them": _RELEASED,
    "tokens": (*TOKEN_SCORES[1:], "token_error_rate", "bleu", "bleu_tok"),
    "attention: cells scored in a decoding step": LOOKUPS,
}
"""Metrics of a table by the title of their group."""

DECIMALS = {"bleu": 2, "perplexity": 3, "lookups": 1}
"""Decimals by the start of a metric's name."""

FRACTIONS = {
    "unfinished",
    *(n for group in GROUPS.values() for n in group if not n.startswith(tuple(DECIMALS))),
}
"""Values that are printed in percent."""
