"""`TexEngine`: typesets batches of formulas with LaTeX; the renderer and the layouter extend it.

The result or failure of a formula does not depend on its batch. TeX stops at the first error; the
pages before the error are valid, the formula without a page has failed, and a new run typesets the
rest. No formula can define anything that outlasts it (`markup.allowlist`, `markup.sanitizer`).
Formulas are identified by page numbers.

Defences against hostile markup: an allow-list of commands and a bound on the work before TeX; a
format in which the primitives that read, open or embed have no name; no shell escape, `openin_any`
and `openout_any` at their strictest, no TeX inputs but the batch, a home directory of its own;
limits on time, memory, file sizes and processes, and a process group killed as a whole.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Generic, Self, TypeVar

from im2tex.errors import Im2TexError
from im2tex.render.parallel import in_batches
from im2tex.render.rendering import Cause, Failure, RenderError
from im2tex.render.tex import dvi, log, sandbox, template
from im2tex.render.tex.dvi import DviPage
from im2tex.render.tex.fonts import FontCache
from im2tex.render.tex.sandbox import SandboxLimits

F = TypeVar("F")  # a formula as given
P = TypeVar("P")  # a prepared formula
R = TypeVar("R")  # the result of a formula

_INSTALL = (
    "apt-get install --no-install-recommends texlive-latex-base texlive-latex-recommended "
    "texlive-fonts-recommended dvipng"
)
_LATEX = (
    "latex",
    "-fmt=im2tex",
    "-interaction=nonstopmode",
    "-halt-on-error",
    "-no-shell-escape",
    "-no-mktex=tfm",
    "batch.tex",
)
_SECONDS = 4  # of processor time for one formula; the bound on its work is far below
_FORMULAS_PER_SECOND = 25  # of a batch: usually ten times as many


class TexEngine(ABC, Generic[F, P, R]):
    """Typesets formulas, each as one or several pages, and converts the pages.

    Args:
        workers: batches typeset at a time; by default the number of cores.
        limits: of a program run for a batch.

    Attributes:
        name: of the engine, for messages.
        alternative: advice if TeX is not installed.
        programs: the programs that the engine runs.
        preamble: source of the LaTeX format.
        pages: pages of each formula; the second page, if any, has markers.
        workers: as given.
        limits: as given.
        folder: the working folder.

    Raises:
        Im2TexError: if TeX is not installed, or its format cannot be made.
    """

    name: ClassVar[str]
    alternative: ClassVar[str] = ""
    programs: ClassVar[tuple[str, ...]]
    preamble: ClassVar[str] = template.PREAMBLE
    pages: ClassVar[int] = 1

    def __init__(self, workers: int | None = None, limits: SandboxLimits | None = None) -> None:
        if workers is not None and workers < 1:
            raise Im2TexError(f"--workers must be at least 1, got {workers}.")
        missing = [program for program in self.programs if shutil.which(program) is None]
        if missing:
            raise Im2TexError(
                f"{self.name} needs {', '.join(missing)}, not found on the path. "
                f"Install TeX: {_INSTALL}{self.alternative}."
            )
        self.workers = workers or os.cpu_count() or 1
        self.limits = limits or SandboxLimits()
        self._home = tempfile.TemporaryDirectory(prefix="im2tex-tex-")
        self.folder = Path(self._home.name)
        self._environment = _environment()
        self._fonts = FontCache(self.folder, self._environment)
        try:
            self._make_format()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the working folder."""
        self._home.cleanup()

    def process(self, formulas: Iterable[F]) -> Iterator[R | Failure]:
        """Yields the result of each formula, in order."""
        return in_batches(self.process_batch, formulas, self.workers)

    def process_batch(self, formulas: Sequence[F]) -> list[R | Failure]:
        """Returns the results of one batch, computed in this thread."""
        results: dict[int, R | Failure] = {}
        prepared: dict[int, P] = {}
        for number, formula in enumerate(formulas):
            try:
                prepared[number] = self._prepare(formula)
            except RenderError as error:
                results[number] = error.failure
        with tempfile.TemporaryDirectory(prefix="batch-", dir=self.folder) as folder:
            groups = [prepared]
            while groups:
                if group := groups.pop():
                    job = Path(tempfile.mkdtemp(dir=folder))
                    groups += self._typeset(group, job, results)
                    shutil.rmtree(job)
        return [results[number] for number in range(len(formulas))]

    def _typeset(
        self, group: dict[int, P], job: Path, results: dict[int, R | Failure]
    ) -> list[dict[int, P]]:
        """Runs TeX once and adds to the results; returns the groups to typeset again."""
        texts = {
            self.pages * number + page: text
            for number, formula in group.items()
            for page, text in enumerate(self._markup(formula))
        }
        (job / "batch.tex").write_text(template.document(texts), encoding="utf-8")
        limits = batch_limits(len(texts), self.limits)
        run = sandbox.run(_LATEX, job, self._environment, limits)
        output = job / "batch.dvi"
        data = output.read_bytes() if output.exists() else b""
        pages = dvi.read(data, self._fonts.metrics) if dvi.is_complete(data) else {}
        defects = log.incomplete_pages(run.output)
        complete: dict[int, list[DviPage]] = {}
        for number in group:
            first = self.pages * number
            own = [pages[page] for page in range(first, first + self.pages) if page in pages]
            if first in pages and first in defects:
                results[number] = defects[first]
            elif len(own) == self.pages:
                complete[number] = own
        results |= self._convert(group, complete, job)
        rest = {number: formula for number, formula in group.items() if number not in results}
        if not rest:
            return []
        page, failure, uncertain = log.find_failed_page(list(texts), pages.keys(), run)
        number, copy = divmod(page, self.pages)
        formula = rest.pop(number, group[number])
        if uncertain and len(group) > 1:
            # Limits hold for the whole group, and an error in the line of another formula may be
            # that formula's: alone, a formula has all of the limits and errors of its own only. The
            # formulas before and behind are not typeset together again, or a batch of slow ones
            # would take quadratic time.
            before = {n: other for n, other in rest.items() if n < number}
            after = {n: other for n, other in rest.items() if n > number}
            return [{number: formula}, before, after]
        if copy:
            failure = Failure(Cause.UNSUPPORTED, f"its markers: {failure.reason}")
        results[number] = failure
        return [rest]

    @abstractmethod
    def _prepare(self, formula: F) -> P:
        """Sanitises a formula.

        Raises:
            RenderError: if it must not or cannot be typeset.
        """

    @abstractmethod
    def _markup(self, formula: P) -> Sequence[str]:
        """Returns the markup of each page of a formula."""

    @abstractmethod
    def _convert(
        self, group: Mapping[int, P], pages: Mapping[int, Sequence[DviPage]], job: Path
    ) -> dict[int, R | Failure]:
        """Converts the pages of each formula that TeX typeset, by formula number.

        Args:
            group: the formulas.
            pages: their pages.
            job: folder with `batch.dvi`.
        """

    def _make_format(self) -> None:
        """Makes `im2tex.fmt`, the format that the runs start from."""
        (self.folder / "im2tex.tex").write_text(self.preamble, encoding="utf-8")
        environment = dict(self._environment)
        del environment["TEXINPUTS"], environment["TEXFORMATS"]  # packages: where TeX keeps them
        run = sandbox.run(
            [
                *("latex", "-ini", "-interaction=nonstopmode", "-halt-on-error"),
                *("-no-shell-escape", "&latex", "im2tex.tex"),
            ],
            self.folder,
            environment,
            self.limits,
        )
        if run.status or not (self.folder / "im2tex.fmt").exists():
            raise Im2TexError(
                f"{self.name}: LaTeX cannot load its packages ({log.first_error(run).reason}). "
                f"Install them: {_INSTALL}."
            )


def batch_limits(formulas: int, limits: SandboxLimits) -> SandboxLimits:
    """Returns limits with less time for a run with few formulas."""
    seconds = min(limits.seconds, _SECONDS + formulas // _FORMULAS_PER_SECOND)
    return replace(limits, seconds=seconds)


def _environment() -> dict[str, str]:
    """Returns all environment variables of the programs.

    TeX treats `, ; : { } $ ~` in a folder's name as special, so every folder is named relative to
    the working folder of the program, which is empty and lies two levels below the format.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "TEXINPUTS": ".",
        "TEXFORMATS": "../..",
        "openin_any": "p",
        "openout_any": "p",
        "shell_escape": "f",
        "max_print_line": "1000",
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
        **dict.fromkeys(["MKTEXPK", "MKTEXTFM", "MKTEXMF", "MKTEXFMT"], "0"),
        **dict.fromkeys(["HOME", "TMPDIR", "TEXMFHOME", "TEXMFVAR", "TEXMFCONFIG"], "nowhere"),
    }
