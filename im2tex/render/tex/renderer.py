"""The real engine: LaTeX sets a batch of formulas, dvipng draws the pages.

Whatever else is in the batch, a formula's pixels are those it has alone, and every failure is its
own. TeX stops at the first error; what it drew before stands, the formula without a page has
failed, and the rest is set by a fresh TeX. No formula can define anything that outlasts it
(`markup.allowlist`, `markup.sanitizer`). Formulas are pages by number, so nothing can shift.

Defences against hostile markup, each enough for most of it: an allow-list of commands and a bound
on the work before TeX; a format in which the primitives that read, open or embed have no name; no
shell escape, `openin_any` and `openout_any` at their strictest, no TeX inputs but the batch, a home
of its own; limits on time, memory, file sizes and processes, and a process group killed as a whole;
a look at each page's DVI (specials, size) before it is drawn, without Ghostscript.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.render.markup import sanitizer
from im2tex.render.parallel import in_batches
from im2tex.render.rendering import (
    Cause,
    Failure,
    RenderError,
    Rendering,
    crop_to_ink,
    decode_png,
    encode_png,
)
from im2tex.render.tex import dvi, page_sizes, sandbox, template
from im2tex.render.tex.fonts import FontMetrics
from im2tex.render.tex.page_sizes import Page
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

MAX_SIDE = 32_000  # pixels
MAX_AREA = 16_000_000  # pixels

_PROGRAMS = ("latex", "dvipng", "kpsewhich")


class TexRenderer:
    """Draws with `latex` and `dvipng`.

    Args:
        dpi: pixels an inch; a formula is set in 12 point.
        workers: batches drawn at a time; the number of cores if not given.
        limits: what a program may take for a batch.

    Raises:
        Im2TexError: if TeX is not installed, or its format cannot be made.
    """

    engine = "tex"

    def __init__(
        self,
        dpi: int = 200,
        workers: int | None = None,
        limits: SandboxLimits | None = None,
    ) -> None:
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if missing:
            raise Im2TexError(
                f"engine tex needs {', '.join(missing)}, not found on the path. {INSTALL}; "
                "or take --engine builtin, which needs no TeX."
            )
        self.dpi = dpi
        self.workers = workers or os.cpu_count() or 1
        self.limits = limits or SandboxLimits()
        self._home = tempfile.TemporaryDirectory(prefix="im2tex-tex-")
        self.folder = Path(self._home.name)
        self._environment = environment()
        try:
            versions = self._versions()
            self._make_format()
            self._metrics = FontMetrics(self.folder, self._environment)
        except BaseException:
            self.close()
            raise
        self.signature = f"tex:{versions}|{template.VERSION}|markup {sanitizer.VERSION}|dpi:{dpi}"

    def close(self) -> None:
        """Removes the working folder."""
        self._home.cleanup()

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Draws formulas, a rendering each, in order; see `Renderer`."""
        return in_batches(self.draw, formulas, self.workers)

    def draw(self, formulas: Sequence[str]) -> list[Rendering]:
        """Draws one batch, here and now."""
        results: dict[int, Rendering] = {}
        checked: dict[int, str] = {}
        for number, formula in enumerate(formulas):
            try:
                checked[number] = sanitizer.sanitize(formula)
            except RenderError as error:
                results[number] = Rendering(failure=error.failure)
        with tempfile.TemporaryDirectory(prefix="batch-", dir=self.folder) as folder:
            self._set(checked, Path(folder), results)
        return [results[number] for number in range(len(formulas))]

    def _set(self, waiting: dict[int, str], folder: Path, results: dict[int, Rendering]) -> None:
        """Sets formulas by number, again without the failed ones until all are dealt with."""
        groups = [waiting]
        run = 0
        while groups:
            group = groups.pop()
            if not group:
                continue
            job = folder / f"{run:06d}"
            job.mkdir()
            run += 1
            drawn, failed, doubtful = self._set_once(group, job)
            results |= drawn
            rest = {number: text for number, text in group.items() if number not in drawn}
            if failed is not None:
                number, failure = failed
                text = rest.pop(number)
                if doubtful and len(group) > 1:
                    # SandboxLimits count for the whole group, and an error in another's line may be
                    # another's: alone it has all of the limits, and errors of its own only.
                    # What came before is not set with what comes behind again, or a batch of
                    # slow ones would take the square of its time.
                    groups.append({number: text})
                    groups.append({n: text for n, text in rest.items() if n < number})
                    rest = {n: text for n, text in rest.items() if n > number}
                else:
                    results[number] = Rendering(failure=failure)
            groups.append(rest)
            shutil.rmtree(job)

    def _set_once(
        self, group: dict[int, str], job: Path
    ) -> tuple[dict[int, Rendering], tuple[int, Failure] | None, bool]:
        """One run of TeX: what it drew, the formula it stumbled over, and whether that is sure."""
        (job / "batch.tex").write_text(template.document(group), encoding="utf-8")
        limits = limits_for(len(group), self.limits)
        outcome = sandbox.run([*LATEX, "batch.tex"], job, self._environment, limits)
        pages = self._pages(job / "batch.dvi")
        done = {page.number for page in pages}
        failed: tuple[int, Failure] | None = None
        doubtful = False
        if outcome.killed or len(done) < len(group):
            number, failure, doubtful = blame(list(group), done, outcome)
            failed = number, failure
        faults = lost(outcome.output)
        whole = [p for p in pages if p.number in group and p.number not in faults]
        drawn = self._draw_pages(whole, job)
        drawn |= {n: Rendering(failure=faults[n]) for n in done & faults.keys() & group.keys()}
        if failed is not None:
            drawn.pop(failed[0], None)
        return drawn, failed, doubtful

    def _pages(self, output: Path) -> list[Page]:
        """The pages of a DVI file; none where TeX could not finish it."""
        data = output.read_bytes() if output.exists() else b""
        return page_sizes.pages(data, self._metrics.of(data)) if dvi.complete(data) else []

    def _draw_pages(self, pages: Sequence[Page], job: Path) -> dict[int, Rendering]:
        renderings: dict[int, Rendering] = {}
        sound: list[int] = []
        for page in pages:
            failure = self._fault(page)
            if failure is None:
                sound.append(page.number)
            else:
                renderings[page.number] = Rendering(failure=failure)
        groups = [sound] if sound else []
        while groups:
            group = groups.pop()
            finished, outcome = self._rasterise(group, job)
            renderings |= finished
            rest = [number for number in group if number not in finished]
            if rest and len(group) == 1:
                reason = "dvipng took too much time or memory"
                if not outcome.killed:
                    last = outcome.output.strip().rpartition("\n")[2]
                    reason = f"dvipng drew nothing: {last[-200:]}"
                renderings[rest[0]] = Rendering(failure=Failure(Cause.LIMIT, reason))
            else:
                groups += [[number] for number in rest]
        return renderings

    def _fault(self, page: Page) -> Failure | None:
        if page.fault:
            return Failure(Cause.LIMIT, page.fault)
        if not page.width or not page.height:
            return Failure(Cause.BLANK, "it draws no ink")
        pixel = dvi.POINT * 72.27 / self.dpi
        width, height = round(page.width / pixel), round(page.height / pixel)
        if page.rules / pixel**2 > MAX_AREA:
            return Failure(Cause.LIMIT, "rules of more pixels than a page may have")
        if max(width, height) > MAX_SIDE or width * height > MAX_AREA:
            return Failure(Cause.LIMIT, f"{width:,} by {height:,} pixels")
        return None

    def _rasterise(
        self, numbers: Sequence[int], job: Path
    ) -> tuple[dict[int, Rendering], sandbox.ProgramResult]:
        """Draws pages of the batch by number: those that come back whole, and how it ended."""
        outcome = sandbox.run(
            [
                "dvipng",
                "-q",
                f"-D{self.dpi}",
                "-Ttight",
                "-z1",
                "--nogs",
                "--norawps",
                "--picky",
                "--dvinum",
                f"-pp{_ranges(numbers)}",
                "-opage%d.png",
                "batch.dvi",
            ],
            job,
            self._environment,
            self.limits,
        )
        finished: dict[int, Rendering] = {}
        for number in numbers:
            picture = job / f"page{number}.png"
            if not picture.exists():
                continue
            try:
                finished[number] = Rendering(
                    png=encode_png(crop_to_ink(decode_png(picture.read_bytes())))
                )
            except RenderError as error:
                finished[number] = Rendering(failure=error.failure)
            except (OSError, ValueError, SyntaxError):
                # Cut off, as the program was: drawn again alone.
                if not outcome.killed:
                    raise
        return finished, outcome

    def _make_format(self) -> None:
        outcome = make_format(template.PREAMBLE, self.folder, self._environment, self.limits)
        if outcome is not None:
            raise Im2TexError(
                f"engine tex: LaTeX cannot load what formulas need ({said(outcome).reason})"
                f". Install its packages: {INSTALL}."
            )

    def _versions(self) -> str:
        lines = []
        for program in ("latex", "dvipng"):
            answer = sandbox.run(
                [program, "--version"], self.folder, self._environment, self.limits
            )
            first = next(iter(answer.output.splitlines()), program)
            lines.append(re.sub(r"\(preloaded.*|Copyright.*", "", first).strip())
        return ", ".join(lines)


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 5 as `1-3,5`."""
    ordered = np.asarray(numbers)
    cuts = np.flatnonzero(np.diff(ordered) != 1) + 1
    return ",".join(
        str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}"
        for part in np.split(ordered, cuts)
    )
