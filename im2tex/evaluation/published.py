"""Published results, under the names of the same metrics of this package.

`published.tsv` has a line for each system and split, its rates in percent. From Deng et al. 2017
come table 2 (CROHME and IM2LATEX-100K), 3 and 4. Their "Match" is that of their released script, so
`image_match_released`; the expression rates of later systems compare label graphs. The split `test`
is that of IM2LATEX-100K: full in Deng et al. 2017, usually filtered in later work.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PERCENT = ("image_match", "expression_rate")
_TEXT_COLUMNS = ("data", "system", "publication", "split")


@dataclass(frozen=True, slots=True)
class Published:
    """The published results of one system.

    Attributes:
        system: its name.
        source: the publication.
        metrics: values by split, then by metric, in the units of our metrics.
    """

    system: str
    source: str
    metrics: Mapping[str, Mapping[str, float]]


def published_results(data: str) -> list[Published]:
    """Published results on the test splits of a data source; empty for most sources."""
    systems: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    with Path(__file__).with_name("published.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["data"] == data:
                values = {
                    name: float(cell) / (100 if name.startswith(_PERCENT) else 1)
                    for name, cell in row.items()
                    if cell and name not in _TEXT_COLUMNS
                }
                systems.setdefault((row["system"], row["publication"]), {})[row["split"]] = values
    return [Published(*names, metrics) for names, metrics in systems.items()]
