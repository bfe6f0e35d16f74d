"""Published results, under the names of the same metrics of this package.

The "Match" of Deng et al. 2017 is that of their released script, so `image_match_released`; the
expression rates of later systems compare label graphs. Values are in the units of our metrics:
fractions, and BLEU in 0..100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_DENG = "Deng et al. 2017"


@dataclass(frozen=True, slots=True)
class Published:
    """The published results of one system.

    Attributes:
        system: its name.
        source: the publication.
        metrics: values by split, then by metric. The split `test` is that of IM2LATEX-100K: full
            in Deng et al. 2017, usually filtered in later work.
    """

    system: str
    source: str
    metrics: Mapping[str, Mapping[str, float]]


def _match(match: float, no_space: float, tok: float, norm: float) -> dict[str, float]:
    return {
        "image_match_released": match / 100,
        "image_match_no_space_released": no_space / 100,
        "bleu_tok": tok,
        "bleu_norm": norm,
    }


def _crohme(system: str, year_2013: dict[str, float], year_2014: dict[str, float]) -> Published:
    return Published(system, _DENG, {"test_2013": year_2013, "test_2014": year_2014})


def _with_lookups(values: dict[str, float], coarse: float, fine: float) -> dict[str, float]:
    return values | {"lookups_coarse": coarse, "lookups_fine": fine}


def _rates(system: str, source: str, **years: float) -> Published:
    rates = {
        f"test_{year.removeprefix('y')}": {"expression_rate": rate / 100}
        for year, rate in years.items()
    }
    return Published(system, source, rates)


CROHME: tuple[Published, ...] = (
    _crohme(
        "IM2TEX standard",
        _match(33.53, 34.72, 44.51, 60.84),
        _match(38.74, 39.96, 50.28, 68.57),
    ),
    _crohme(
        "IM2TEX hierarchical",
        _match(29.81, 30.85, 43.65, 59.70),
        _match(35.90, 36.41, 47.52, 64.49),
    ),
    _crohme(
        "IM2TEX-C2F hard",
        _match(29.51, 31.00, 43.09, 57.18),
        _match(33.87, 35.09, 48.02, 64.42),
    ),
    _crohme(
        "IM2TEX-C2F sparsemax",
        _match(28.32, 29.51, 44.18, 58.13),
        _match(34.28, 35.40, 47.65, 64.26),
    ),
    _rates("WAP, ensemble", "Zhang et al. 2017", y2014=46.55, y2016=44.55),
    _rates("DenseWAP", "Zhang et al. 2018", y2014=50.1, y2016=47.5, y2019=47.7),
    _rates("BTTR", "Zhao et al. 2021", y2014=53.96, y2016=52.31, y2019=52.96),
    _rates("CoMER", "Zhao and Gao 2022", y2014=59.33, y2016=59.81, y2019=62.97),
    _rates("PosFormer", "Guan et al. 2024", y2014=62.68, y2016=61.03, y2019=64.97),
    _rates("SSAN", "as quoted by later work", y2014=62.58, y2016=62.51, y2019=65.30),
)
"""Deng et al. 2017, table 2, bottom, and later systems."""

IM2LATEX: tuple[Published, ...] = tuple(
    Published(system, _DENG, {"test": values})
    for system, values in (
        ("CTC", _match(7.60, 9.16, 39.20, 30.36)),
        ("CAPTION, no row encoder", _match(53.53, 55.72, 52.53, 75.01) | {"perplexity": 1.18}),
        ("IM2TEX, no row embedding", {"image_match_released": 0.7686, "perplexity": 1.12}),
        ("5-gram, Kneser-Ney", {"perplexity": 8.95}),
        ("LSTM-LM", {"perplexity": 5.22}),
        ("IM2TEX-TOK", _match(74.46, 77.04, 73.71, 73.97)),
        (
            "IM2TEX standard",
            _with_lookups(_match(77.46, 79.88, 58.41, 87.73), 0, 355) | {"perplexity": 1.11},
        ),
        ("IM2TEX coarse-only", _with_lookups(_match(44.40, 48.53, 53.40, 79.53), 22, 0)),
        ("IM2TEX hierarchical", _with_lookups(_match(77.39, 79.63, 60.32, 86.21), 22, 355)),
        (
            "IM2TEX-C2F hard",
            _with_lookups(_match(74.90, 77.07, 59.96, 87.07), 22, 16) | {"perplexity": 1.15},
        ),
        ("IM2TEX-C2F sparsemax", _with_lookups(_match(76.15, 78.10, 59.38, 86.97), 22, 74)),
    )
)
"""Deng et al. 2017, tables 2 (top), 3 and 4."""


def published_results(source: str) -> tuple[Published, ...]:
    """Published results on the test splits of a data source; empty for most sources."""
    return {"crohme": CROHME, "im2latex": IM2LATEX}.get(source, ())
