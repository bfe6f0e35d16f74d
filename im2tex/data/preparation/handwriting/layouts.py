"""Typesets formulas and composes the first ink of each, in chunks that are cached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preparation.handwriting.selection import formula_digest
from im2tex.data.preparation.resumable import StepCache
from im2tex.data.sample import Sample, StoredLayout
from im2tex.errors import Im2TexError
from im2tex.ink.scale import ink_size
from im2tex.latex.tokens import join_tokens
from im2tex.render import CAUSES, Failure
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.layouter import TexLayouter
from im2tex.utils.progress import progress_bar

_CHUNK = 2000
_SCHEMA = pa.schema(
    [
        ("layout", pa.binary()),
        ("written", pa.list_(pa.float32(), 3)),
        ("reason", pa.string()),
    ]
)


class LayoutBuilder:
    """Makes the samples of a split of synthetic handwriting.

    Args:
        cache: cache of the chunks.
        layouter: typesets the formulas.
        synthesizer: composes one ink of each layout, to measure its extent.
        split: name of the split.

    Attributes:
        skipped: number of formulas without a sample, by reason.
    """

    def __init__(
        self,
        cache: StepCache,
        layouter: TexLayouter,
        synthesizer: HandwritingSynthesizer,
        split: str,
    ) -> None:
        self.cache = cache
        self.layouter = layouter
        self.synthesizer = synthesizer
        self.split = split
        self.skipped: Counter[str] = Counter()

    def samples(self, formulas: Sequence[tuple[str, ...]]) -> Iterator[Sample]:
        """Yields a sample of each formula that can be typeset and composed, in order.

        Args:
            formulas: tokens of each formula; a formula may occur several times.
        """
        keys = _keys(formulas)
        with progress_bar("typesetting", len(formulas)) as shown:
            for first in range(0, len(formulas), _CHUNK):
                chunk = slice(first, first + _CHUNK)
                name = f"{self.split}-{first // _CHUNK:05d}"
                rows = self._rows(name, formulas[chunk], keys[chunk])
                for key, tokens, row in zip(keys[chunk], formulas[chunk], rows, strict=True):
                    if row["reason"]:
                        self.skipped[row["reason"]] += 1
                    else:
                        layout = Layout.from_bytes(row["layout"], tokens)
                        stored = StoredLayout(layout, *row["written"])
                        yield Sample(key, join_tokens(tokens), tokens, layout=stored)
                shown.advance(len(rows))

    def _rows(
        self, name: str, formulas: Sequence[tuple[str, ...]], keys: Sequence[str]
    ) -> list[dict[str, Any]]:
        def compute() -> pa.Table:
            layouts = self.layouter.layout(formulas)
            rows = map(self._row, keys, formulas, layouts)
            return pa.Table.from_pylist(list(rows), schema=_SCHEMA)

        rows: list[dict[str, Any]] = self.cache.step(name, compute).to_pylist()
        return rows

    def _row(self, key: str, tokens: tuple[str, ...], layout: Layout | Failure) -> dict[str, Any]:
        if not isinstance(layout, Layout):
            return {"reason": f"no layout: {CAUSES[layout.cause]}"}
        if not layout.placed:
            return {"reason": "nothing to write"}
        if missing := self.synthesizer.composer.missing(layout):
            return {"reason": f"no glyph of {missing[0]}"}
        sample = Sample(key, "", tokens, layout=StoredLayout(layout, 1.0, 1.0, 1.0))
        try:
            ink = self.synthesizer(sample)
            left, top, right, bottom = ink.bounds
            extent = [ink_size(ink), right - left, bottom - top]
        except (Im2TexError, ValueError) as error:
            return {"reason": f"cannot be written: {error}"}
        return {"layout": layout.to_bytes(), "written": extent, "reason": ""}


def _keys(formulas: Sequence[tuple[str, ...]]) -> list[str]:
    """Returns a key for each formula: its digest, numbered from the second occurrence on."""
    occurrences: Counter[str] = Counter()
    keys = []
    for tokens in formulas:
        key = formula_digest(tokens)[:16]
        occurrences[key] += 1
        keys.append(key if occurrences[key] == 1 else f"{key}.{occurrences[key]}")
    return keys
