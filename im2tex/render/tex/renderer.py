"""The engine `tex`: LaTeX typesets a batch of formulas, dvipng rasterises the pages.

The DVI of each page is checked (specials, size) before dvipng reads it, without Ghostscript. See
`tex.engine` for the other defences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

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
from im2tex.render.tex import dvi, sandbox, template
from im2tex.render.tex.dvi import DviPage
from im2tex.render.tex.engine import TexEngine
from im2tex.render.tex.sandbox import ProgramResult, SandboxLimits

MAX_SIDE = 32_000  # pixels
MAX_AREA = 16_000_000  # pixels


class TexRenderer(TexEngine[str, str, bytes]):
    """Renders with `latex` and `dvipng`.

    Args:
        dpi: pixels per inch; a formula is typeset in 12 point.
        workers: batches rendered at a time; by default the number of cores.
        limits: of a program run for a batch.

    Raises:
        Im2TexError: if TeX is not installed, or its format cannot be made.
    """

    engine = "tex"
    name = "engine tex"
    alternative = "; or use --engine builtin, which needs no TeX"
    programs = ("latex", "dvipng", "kpsewhich")

    def __init__(
        self, dpi: int = 200, workers: int | None = None, limits: SandboxLimits | None = None
    ) -> None:
        super().__init__(workers, limits)
        self.dpi = dpi
        versions = ", ".join(map(self._version, ("latex", "dvipng")))
        self.signature = f"tex:{versions}|{template.VERSION}|markup {sanitizer.VERSION}|dpi:{dpi}"

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Yields a rendering of each formula, in order; see `Renderer`."""
        return in_batches(self.render_batch, formulas, self.workers)

    def render_batch(self, formulas: Sequence[str]) -> list[Rendering]:
        """Returns the renderings of one batch, computed in this thread."""
        return list(map(_as_rendering, self.process_batch(formulas)))

    def _prepare(self, formula: str) -> str:
        return sanitizer.sanitize(formula)

    def _markup(self, formula: str) -> Sequence[str]:
        return [formula]

    def _convert(
        self, group: Mapping[int, str], pages: Mapping[int, Sequence[DviPage]], job: Path
    ) -> dict[int, bytes | Failure]:
        checked = {number: self._check(page) for number, (page,) in pages.items()}
        results: dict[int, bytes | Failure] = {n: found for n, found in checked.items() if found}
        sound = [number for number in pages if number not in results]
        if sound:
            results |= self._rasterise(sound, job)[0]
        for number in [number for number in sound if number not in results]:  # alone
            finished, run = self._rasterise([number], job)
            reason = "dvipng took too much time or memory"
            if not run.killed:
                last = run.output.strip().rpartition("\n")[2]
                reason = f"dvipng drew nothing: {last[-200:]}"
            results |= finished or {number: Failure(Cause.LIMIT, reason)}
        return results

    def _check(self, page: DviPage) -> Failure | None:
        """Returns why a page must not be rasterised, or None."""
        if any(item.code == dvi.SPECIAL for item in page.items):
            return Failure(Cause.LIMIT, "it holds a \\special")
        if page.out_of_bounds:
            return Failure(Cause.LIMIT, "its ink lies further away than TeX can measure")
        fonts = {item.font for item in page.items if item.code != dvi.RULE}
        size = dvi.ink_size(page.items, self._fonts.metrics(fonts))
        if not all(size):
            return Failure(Cause.BLANK, "it draws no ink")
        pixel = dvi.POINT * 72.27 / self.dpi
        width, height = (round(side / pixel) for side in size)
        rules = sum(item.width * item.height for item in page.items)
        if rules / pixel**2 > MAX_AREA:
            return Failure(Cause.LIMIT, "rules of more pixels than a page may have")
        if max(width, height) > MAX_SIDE or width * height > MAX_AREA:
            return Failure(Cause.LIMIT, f"{width:,} by {height:,} pixels")
        return None

    def _rasterise(
        self, numbers: Sequence[int], job: Path
    ) -> tuple[dict[int, bytes | Failure], ProgramResult]:
        """Runs dvipng on pages; returns the PNG files of finished pages, by number."""
        pages = ",".join(map(str, numbers))
        run = sandbox.run(
            [
                *("dvipng", "-q", f"-D{self.dpi}", "-Ttight", "-z1", "--nogs", "--norawps"),
                *("--picky", "--dvinum", f"-pp{pages}", "-opage%d.png", "batch.dvi"),
            ],
            job,
            self._environment,
            self.limits,
        )
        finished: dict[int, bytes | Failure] = {}
        for number in numbers:
            path = job / f"page{number}.png"
            if not path.exists():
                continue
            try:
                finished[number] = encode_png(crop_to_ink(decode_png(path.read_bytes())))
            except RenderError as error:
                finished[number] = error.failure
            except (OSError, ValueError, SyntaxError):
                # The file is cut off if the program was killed: the page is rasterised again alone.
                if not run.killed:
                    raise
        return finished, run

    def _version(self, program: str) -> str:
        answer = sandbox.run([program, "--version"], self.folder, self._environment, self.limits)
        first = next(iter(answer.output.splitlines()), program)
        return re.sub(r"\(preloaded.*|Copyright.*", "", first).strip()


def _as_rendering(result: bytes | Failure) -> Rendering:
    return Rendering(failure=result) if isinstance(result, Failure) else Rendering(png=result)
