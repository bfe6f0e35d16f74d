"""Formulas laid out and written once, part by part, so that an interruption costs one part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preparation.handwriting.selection import rank
from im2tex.data.preparation.resumable import StepCache
from im2tex.data.sample import Sample, StoredLayout
from im2tex.errors import Im2TexError
from im2tex.ink.scale import ink_size
from im2tex.latex.tokens import join_tokens
from im2tex.render import CAUSES, Failure
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.layouter import TexLayouter
from im2tex.utils.progress import progress_bar

_PART = 2000
_SCHEMA = pa.schema(
    [
        ("layout", pa.binary()),
        ("written", pa.list_(pa.float32(), 3)),
        ("reason", pa.string()),
    ]
)


class LayoutBuilder:
    """One preparation's layouts.

    Args:
        cache: keeps the parts.
        layouter: makes the layouts.
        synthesizer: writes each once, to know its size.
        name: of the parts.

    Attributes:
        left_out: how many formulas have no sample, by reason.
    """

    def __init__(
        self,
        cache: StepCache,
        layouter: TexLayouter,
        synthesizer: HandwritingSynthesizer,
        name: str,
    ) -> None:
        self.cache = cache
        self.layouter = layouter
        self.synthesizer = synthesizer
        self.name = name
        self.left_out: Counter[str] = Counter()

    def run(self, formulas: Sequence[tuple[str, ...]]) -> Iterator[Sample]:
        """A sample of each formula that can be laid out and written, in order."""
        keys = _keys(formulas)
        with progress_bar("laying out", len(formulas)) as shown:
            for first in range(0, len(formulas), _PART):
                part = slice(first, first + _PART)
                rows = self._part(f"{self.name}-{first // _PART:05d}", formulas[part], keys[part])
                for key, tokens, row in zip(keys[part], formulas[part], rows, strict=True):
                    if row["reason"]:
                        self.left_out[row["reason"]] += 1
                    else:
                        layout = Layout.from_bytes(row["layout"], tokens)
                        stored = StoredLayout(layout, *row["written"])
                        yield Sample(key, join_tokens(tokens), tokens, layout=stored)
                shown.advance(len(rows))

    def _part(
        self, name: str, formulas: Sequence[tuple[str, ...]], keys: Sequence[str]
    ) -> list[dict[str, Any]]:
        def make() -> pa.Table:
            found = self.layouter.layout(formulas)
            rows = [
                self._row(key, tokens, layout)
                for key, tokens, layout in zip(keys, formulas, found, strict=True)
            ]
            return pa.Table.from_pylist(rows, schema=_SCHEMA)

        rows: list[dict[str, Any]] = self.cache.step(name, make).to_pylist()
        return rows

    def _row(self, key: str, tokens: tuple[str, ...], layout: Layout | Failure) -> dict[str, Any]:
        if not isinstance(layout, Layout):
            return {"reason": f"no layout: {CAUSES[layout.cause]}"}
        if not layout.placed:
            return {"reason": "nothing to write"}
        missing = self.synthesizer.composer.missing(layout)
        if missing:
            return {"reason": f"no glyph of {missing[0]}"}
        sample = Sample(key, "", tokens, layout=StoredLayout(layout, 1.0, 1.0, 1.0))
        try:
            ink = self.synthesizer(sample)
            left, top, right, bottom = ink.bounds
            written = [ink_size(ink), right - left, bottom - top]
        except (Im2TexError, ValueError) as error:
            return {"reason": f"cannot be written: {error}"}
        return {"layout": layout.to_bytes(), "written": written, "reason": ""}


def _keys(formulas: Sequence[tuple[str, ...]]) -> list[str]:
    """A key each: a hash of the formula, and which time it comes."""
    times: Counter[str] = Counter()
    keys = []
    for tokens in formulas:
        name = rank(tokens)[:16]
        times[name] += 1
        keys.append(name if times[name] == 1 else f"{name}.{times[name]}")
    return keys
