r"""Layouts from TeX: positions and sizes are those of LaTeX itself, down to the last kern.

A batch of formulas is set by the renderer's page and format, each formula twice: once as it is,
for the places of its glyphs, once with marks, for their tokens (`marks`, `trace`).
Its defences against hostile markup are those of `tex`, and so is its order: every formula has its
own layout or its own failure, whatever its neighbours are.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from im2tex.errors import Im2TexError
from im2tex.render.layout import cases, marking, marks
from im2tex.render.layout import dvi as layout_dvi
from im2tex.render.layout.entries import lay_out
from im2tex.render.layout.fonts import GlyphBoxes
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.trace import UnmatchedGlyphError, trace
from im2tex.render.markup import sanitizer
from im2tex.render.parallel import in_batches
from im2tex.render.rendering import Cause, Failure, RenderError
from im2tex.render.tex import dvi, sandbox, template
from im2tex.render.tex.fonts import FontMetrics
from im2tex.render.tex.runs import (
    INSTALL,
    LATEX,
    blame,
    environment,
    limits_for,
    lost,
    make_format,
    said,
)
from im2tex.render.tex.sandbox import SandboxLimits

_PROGRAMS = ("latex", "kpsewhich")
_SPACE = re.compile(r"\S+")


class _Formula(NamedTuple):
    """A formula on its way through TeX."""

    tokens: Sequence[str]
    starts: list[int]
    plain: str
    marked: marking.Marked


@contextmanager
def open_layouter(*, workers: int | None = None) -> Iterator[TexLayouter]:
    """A layouter, closed at the end.

    Args:
        workers: batches set at a time; the number of cores if not given.

    Raises:
        Im2TexError: if TeX is not installed, or a setting is out of range.
    """
    if workers is not None and workers < 1:
        raise Im2TexError(f"--workers must be at least 1, got {workers}.")
    layouter = TexLayouter(workers)
    try:
        yield layouter
    finally:
        layouter.close()


class TexLayouter:
    """Lays formulas out with `latex`.

    Args:
        workers: batches set at a time; the number of cores if not given.
        limits: what a program may take for a batch.

    Raises:
        Im2TexError: if TeX is not installed, or its format cannot be made.
    """

    def __init__(self, workers: int | None = None, limits: SandboxLimits | None = None) -> None:
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if missing:
            raise Im2TexError(
                f"layouts need {', '.join(missing)}, not found on the path: {INSTALL}."
            )
        self.workers = workers or os.cpu_count() or 1
        self.limits = limits or SandboxLimits()
        self._home = tempfile.TemporaryDirectory(prefix="im2tex-layout-")
        self.folder = Path(self._home.name)
        self._environment = environment()
        try:
            self._make_format()
        except BaseException:
            self.close()
            raise
        self._metrics = FontMetrics(self.folder, self._environment)
        self._boxes = GlyphBoxes(self.folder, self._environment)

    def close(self) -> None:
        """Removes the working folder."""
        self._home.cleanup()

    def layout(self, formulas: Iterable[str | Sequence[str]]) -> Iterator[Layout | Failure]:
        """Lays formulas out, a layout or a failure each, in order.

        Args:
            formulas: math markup without dollars around it, as tokens or as a string with its
                tokens one space apart: positions are indices into these.
        """
        return in_batches(self.lay, formulas, self.workers)

    def lay(self, formulas: Sequence[str | Sequence[str]]) -> list[Layout | Failure]:
        """Lays one batch out, here and now."""
        results: dict[int, Layout | Failure] = {}
        checked: dict[int, _Formula] = {}
        for number, formula in enumerate(formulas):
            try:
                checked[number] = _prepared(formula)
            except RenderError as error:
                results[number] = _failure(error.failure.cause, error.failure.reason)
        with tempfile.TemporaryDirectory(prefix="batch-", dir=self.folder) as folder:
            groups = [checked]
            while groups:
                group = groups.pop()
                if group:
                    groups += self._set_once(group, Path(folder), results)
        return [results[number] for number in range(len(formulas))]

    def _set_once(
        self,
        group: dict[int, _Formula],
        folder: Path,
        results: dict[int, Layout | Failure],
    ) -> list[dict[int, _Formula]]:
        """One run of TeX: adds what it gives to the results; gives what is to be set again."""
        job = Path(tempfile.mkdtemp(dir=folder))
        texts: dict[int, str] = {}
        for number, formula in group.items():
            texts[2 * number] = formula.plain
            texts[2 * number + 1] = formula.marked.markup
        (job / "batch.tex").write_text(template.document(texts), encoding="utf-8")
        limits = limits_for(2 * len(group), self.limits)
        outcome = sandbox.run([*LATEX, "batch.tex"], job, self._environment, limits)
        output = job / "batch.dvi"
        data = output.read_bytes() if output.exists() else b""
        shutil.rmtree(job)
        pages: dict[int, list[layout_dvi.Item]] = {}
        if dvi.complete(data):
            metrics = self._metrics.of(data)
            pages = layout_dvi.pages(data, metrics)
            names = {name for name, _ in dvi.fonts(data).values()}
            boxes = self._boxes.of(names, {name: metrics(name) for name in names})
            faults = lost(outcome.output)
            for number, formula in group.items():
                fault = faults.get(2 * number)
                if fault is not None and 2 * number in pages:
                    results[number] = _failure(fault.cause, fault.reason)
                elif 2 * number + 1 in pages and 2 * number in pages:
                    results[number] = _laid_out(
                        formula, pages[2 * number], pages[2 * number + 1], boxes
                    )
        rest = {number: formula for number, formula in group.items() if number not in results}
        if not rest:
            return []
        failed, said_of_it, doubtful = blame(list(texts), pages.keys(), outcome)
        formula = rest.pop(failed // 2)
        if doubtful and len(group) > 1:
            return [rest, {failed // 2: formula}]
        failure = _failure(said_of_it.cause, said_of_it.reason)
        if failed % 2:
            failure = _failure(Cause.UNSUPPORTED, f"its marks: {failure.reason}")
        results[failed // 2] = failure
        return [rest]

    def _make_format(self) -> None:
        preamble = marks.DEFINITIONS + cases.DEFINITIONS + template.PREAMBLE
        outcome = make_format(preamble, self.folder, self._environment, self.limits)
        if outcome is not None:
            raise Im2TexError(
                f"LaTeX cannot load what layouts need ({said(outcome).reason}). Install its "
                f"packages: {INSTALL}."
            )


def _prepared(formula: str | Sequence[str]) -> _Formula:
    if isinstance(formula, str):
        source = formula
        found = list(_SPACE.finditer(formula))
        tokens: Sequence[str] = [match[0] for match in found]
        starts = [match.start() for match in found]
    else:
        tokens = formula
        source = " ".join(tokens)
        starts = list(accumulate((len(token) + 1 for token in tokens[:-1]), initial=0))
    if not source.isascii():
        raise RenderError(Cause.UNSUPPORTED, "characters beyond ASCII have no layout")
    pieces = cases.single_braced(sanitizer.sanitize_to_pieces(source))
    plain = "".join(piece.text for piece in pieces).lstrip(" ")
    return _Formula(tokens, starts, plain, marking.marked(pieces))


def _laid_out(
    formula: _Formula,
    plain: list[layout_dvi.Item],
    marked: list[layout_dvi.Item],
    boxes: dict[str, dict[int, tuple[float, float, float, float]]],
) -> Layout | Failure:
    if not plain:
        return _failure(Cause.BLANK, "it draws no ink")
    try:
        traced = trace(plain, marked)
        layout = lay_out(formula.tokens, formula.starts, formula.marked.marks, traced, boxes)
    except UnmatchedGlyphError as error:
        return _failure(Cause.UNSUPPORTED, str(error))
    return layout or _failure(Cause.LIMIT, "larger than a layout can be")


def _failure(cause: Cause, reason: str) -> Failure:
    return Failure(cause, reason)
