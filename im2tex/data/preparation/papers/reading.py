"""Papers out of a folder or an archive, one after the other, read by several processes.

The origin is walked through twice: once to see which files make one paper (`units`), and once to
read them. A paper is handed on as soon as all of its files were met, so memory holds a few papers,
whatever the size of the archive and the order in it.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from im2tex.data.preparation.papers.paper import (
    TEX,
    Paper,
    begins_document,
    is_numbered,
    is_tex,
    read_paper,
)
from im2tex.data.preparation.papers.units import Unit, units
from im2tex.data.preparation.papers.unpacking import LARGEST_FILE, READ_ALONG, RefusedError, unpack
from im2tex.data.preparation.raw_files import RawFile, iter_files
from im2tex.errors import Im2TexError
from im2tex.latex.document.boundaries import MAX_FORMULA_LENGTH

_PACKAGE = (".gz",)
# Other gzipped files (figure.eps.gz, table.csv.gz) are no papers.
_PAPER_PACKAGE = re.compile(r"(?:\.(?:tar|tex|ltx|latex)|(?:^|/)[^/.]*|\.\d+(?:v\d+)?)\.gz$")
# A paper's number in arXiv has no ending but its digits.
_SUFFIXES = (*TEX, *READ_ALONG, *_PACKAGE, *"0123456789")
_AHEAD = 4  # papers that wait for each process


@dataclass
class _Job:
    """What a process reads: the files of a unit, or a package."""

    name: str
    separate: bool
    files: dict[str, bytes] = field(default_factory=dict)
    package: bytes | None = None
    problems: Counter[str] = field(default_factory=Counter)
    rows: bool = False
    lengths: tuple[int, int] = (1, MAX_FORMULA_LENGTH)


def read_papers(
    origin: Path,
    *,
    rows: bool = False,
    lengths: tuple[int, int] = (1, MAX_FORMULA_LENGTH),
    workers: int | None = None,
) -> Iterator[Paper]:
    """The formulas of papers, from their LaTeX sources.

    Args:
        origin: a folder or an archive (see `iter_files`) of TeX files, of folders of them, or of
            arXiv's packages (`unpacking`); or a single one of these.
        rows: takes rows of aligned displays as well, which the paper does not.
        lengths: the fewest and the most characters of a formula that is taken; the paper takes 41
            to 1023.
        workers: processes; the number of cores if not given.

    Yields:
        Each paper, in a fixed order, those included in which nothing was found.

    Raises:
        Im2TexError: if the origin cannot be read, or holds no TeX file.
    """
    jobs = _jobs(origin, rows, lengths)
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        for job in jobs:
            yield from _read(job)
        return
    waiting: deque[Future[list[Paper]]] = deque()
    pool = ProcessPoolExecutor(workers, initializer=_quiet)
    try:
        for job in jobs:
            waiting.append(pool.submit(_read, job))
            if len(waiting) > _AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _jobs(origin: Path, rows: bool, lengths: tuple[int, int]) -> Iterator[_Job]:
    plan, missing = _plan(origin)
    whole = _stem(origin.resolve().name)
    open_jobs: dict[Unit, _Job] = {}
    for path, member in _files(origin):
        unit = plan.get(path)
        if unit is None:
            continue
        job = open_jobs.get(unit)
        if job is None:
            name = _stem(unit.name) or whole
            job = open_jobs[unit] = _Job(name, unit.separate, rows=rows, lengths=lengths)
        if member.data is None:
            job.problems[f"a file that cannot be read: {member.problem}"] += 1
        elif path.lower().endswith(_PACKAGE):
            job.package = member.data
        else:
            job.files[path] = member.data
        missing[unit] -= 1
        if not missing[unit]:
            yield open_jobs.pop(unit)
    yield from open_jobs.values()


def _plan(origin: Path) -> tuple[dict[str, Unit], Counter[Unit]]:
    """The unit of each file below the origin, and how many files a unit has.

    Raises:
        Im2TexError: if there is no TeX file.
    """
    files: dict[str, bool] = {}
    result: dict[str, Unit] = {}
    paths: Counter[str] = Counter()  # an archive may hold a file twice: the last one counts
    for path, member in _files(origin):
        paths[path] += 1
        if path.lower().endswith(_PACKAGE):
            result[path] = Unit(path)
        else:
            numbered = is_numbered(path)
            files[path] = member.data is not None and (
                numbered or (is_tex(path) and begins_document(member.data))
            )
    if not any(is_tex(path) for path in files) and not result:
        raise Im2TexError(
            f"{origin} holds no LaTeX source. Expected: files in {', '.join(TEX)}, folders of them,"
            " or packages of arXiv's (.gz), in a folder or an archive."
        )
    result |= units(files)
    sizes: Counter[Unit] = Counter()
    for path, count in paths.items():
        sizes[result[path]] += count
    return result, sizes


def _files(origin: Path) -> Iterator[tuple[str, RawFile]]:
    """Members by their path below the origin, those left out whose names no paper's file has."""
    for member in iter_files(origin, _SUFFIXES):
        parts = member.path.parts
        path = "/".join(parts[1:] or parts)
        name = path.lower()
        if name.endswith(_PACKAGE) and not _PAPER_PACKAGE.search(name):
            continue
        if name.endswith((*TEX, *READ_ALONG, *_PACKAGE)) or is_numbered(path):
            yield path, member
        elif member.data is None and not name[-1].isdigit():
            # An archive that could not be opened would have been a paper, or several.
            yield path, member


def _stem(path: str) -> str:
    """A path without the ending of a package, an archive or a TeX file."""
    for ending in (*TEX, ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar", ".zip", ".gz"):
        if path.lower().endswith(ending):
            return path[: -len(ending)]
    return path


def _read(job: _Job) -> list[Paper]:
    files = job.files
    if job.package is not None:
        try:
            files = unpack(job.package)
        except RefusedError as refused:
            job.problems[str(refused)] += 1
            return [Paper(job.name, left_out=job.problems)]
    large = [path for path, data in files.items() if len(data) > LARGEST_FILE]
    for path in large:
        job.problems[f"a file larger than {LARGEST_FILE} bytes"] += 1
        del files[path]
    if not files:
        job.problems["no TeX in it"] += not job.problems
        return [Paper(job.name, left_out=+job.problems)]
    mains: list[str | None] = [None]
    if job.separate:
        mains = [path for path in sorted(files) if _begins(path, files[path])]
    papers = [
        read_paper(
            job.name if main is None else _stem(main),
            files,
            main=main,
            rows=job.rows,
            lengths=job.lengths,
        )
        for main in mains
    ]
    if papers:
        papers[0].left_out.update(job.problems)
    return papers


def _begins(path: str, data: bytes) -> bool:
    return is_numbered(path) or (is_tex(path) and begins_document(data))


def _quiet() -> None:
    """An interrupt is the main process's to deal with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
