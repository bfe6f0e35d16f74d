"""Reads the papers of a folder or an archive one by one, in several processes.

The raw data is read twice: once to find which files form a paper (`paper_units`), and once to read
the papers. A paper is passed on as soon as all of its files have been read, so memory holds a few
papers, whatever the size of the archive and the order of its files.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from im2tex.data.preparation.papers.paper import (
    TEX,
    Paper,
    begins_document,
    is_arxiv_number,
    is_tex,
    read_paper,
)
from im2tex.data.preparation.papers.units import PaperUnit, paper_units
from im2tex.data.preparation.papers.unpacking import LARGEST_FILE, READ_ALONG, RefusedError, unpack
from im2tex.data.preparation.raw_files import ARCHIVE_SUFFIXES, RawFile, iter_files
from im2tex.errors import Im2TexError
from im2tex.utils.processes import lazy_map

_PACKAGE = ".gz"
# Other gzipped files (figure.eps.gz, table.csv.gz) are not papers.
_PAPER_PACKAGE = re.compile(r"(?:\.(?:tar|tex|ltx|latex)|(?:^|/)[^/.]*|\.\d+(?:v\d+)?)\.gz$")
# The name of a paper in arXiv can end in a digit, without an ending.
_SUFFIXES = (*TEX, *READ_ALONG, _PACKAGE, *"0123456789")


@dataclass
class _Job:
    """The files of a unit, or a package, for a worker process."""

    name: str
    separate: bool
    files: dict[str, bytes] = field(default_factory=dict)
    package: bytes | None = None
    problems: Counter[str] = field(default_factory=Counter)


def read_papers(raw_data: Path, *, workers: int | None = None) -> Iterator[Paper]:
    """Yields the papers of LaTeX sources in a fixed order, including those without formulas.

    Args:
        raw_data: a folder or an archive (see `iter_files`) of TeX files, of folders of TeX files,
            or of arXiv's packages (see `unpack`); or a single file of these kinds.
        workers: number of processes; the number of cores if not given.

    Raises:
        Im2TexError: if the raw data cannot be read, or has no TeX file.
    """
    jobs = _iter_jobs(raw_data)
    workers = workers or os.cpu_count() or 1
    for papers in lazy_map(_read_job, jobs, workers if workers > 1 else 0):
        yield from papers


def _iter_jobs(raw_data: Path) -> Iterator[_Job]:
    plan, missing = _plan_units(raw_data)
    default_name = _strip_endings(raw_data.resolve().name)
    open_jobs: dict[PaperUnit, _Job] = {}
    for path, file in _iter_paper_files(raw_data):
        unit = plan.get(path)
        if unit is None:
            continue
        if unit not in open_jobs:
            open_jobs[unit] = _Job(_strip_endings(unit.name) or default_name, unit.separate)
        job = open_jobs[unit]
        if file.data is None:
            job.problems[f"a file that cannot be read: {file.problem}"] += 1
        elif path.lower().endswith(_PACKAGE):
            job.package = file.data
        else:
            job.files[path] = file.data
        missing[unit] -= 1
        if not missing[unit]:
            yield open_jobs.pop(unit)
    yield from open_jobs.values()


def _plan_units(raw_data: Path) -> tuple[dict[str, PaperUnit], Counter[PaperUnit]]:
    """Returns the unit of each file, and the number of files of each unit.

    Raises:
        Im2TexError: if there is no TeX file.
    """
    files: dict[str, bool] = {}
    units: dict[str, PaperUnit] = {}
    paths: Counter[str] = Counter()  # an archive can have a file twice: the last one counts
    for path, file in _iter_paper_files(raw_data):
        paths[path] += 1
        if path.lower().endswith(_PACKAGE):
            units[path] = PaperUnit(path)
        else:
            files[path] = file.data is not None and begins_document(path, file.data)
    if not any(is_tex(path) for path in files) and not units:
        raise Im2TexError(
            f"{raw_data} has no LaTeX source. Expected: files with the endings {', '.join(TEX)}, "
            "folders of them, or packages of arXiv (.gz), in a folder or an archive."
        )
    units |= paper_units(files)
    sizes: Counter[PaperUnit] = Counter()
    for path, count in paths.items():
        sizes[units[path]] += count
    return units, sizes


def _iter_paper_files(raw_data: Path) -> Iterator[tuple[str, RawFile]]:
    """Yields the files that can belong to a paper, with their paths below the raw data."""
    for file in iter_files(raw_data, _SUFFIXES):
        parts = file.path.parts
        path = "/".join(parts[1:] or parts)
        name = path.lower()
        if name.endswith(_PACKAGE) and not _PAPER_PACKAGE.search(name):
            continue
        is_paper_file = name.endswith((*TEX, *READ_ALONG, _PACKAGE)) or is_arxiv_number(path)
        # An archive that cannot be opened may contain papers; report it.
        if is_paper_file or (file.data is None and not name[-1].isdigit()):
            yield path, file


def _strip_endings(path: str) -> str:
    """Returns a path without the ending of a package, an archive or a TeX file."""
    for ending in (*TEX, *sorted(ARCHIVE_SUFFIXES, key=len, reverse=True), _PACKAGE):
        if path.lower().endswith(ending):
            return path[: -len(ending)]
    return path


def _read_job(job: _Job) -> list[Paper]:
    files = job.files
    if job.package is not None:
        try:
            files = unpack(job.package)
        except RefusedError as refused:
            job.problems[str(refused)] += 1
            return [Paper(job.name, skipped=job.problems)]
    large = [path for path, data in files.items() if len(data) > LARGEST_FILE]
    for path in large:
        job.problems[f"a file larger than {LARGEST_FILE} bytes"] += 1
        del files[path]
    if not files:
        job.problems["no TeX in it"] += not job.problems
        return [Paper(job.name, skipped=+job.problems)]
    if job.separate:
        mains = [path for path in sorted(files) if begins_document(path, files[path])]
        papers = [read_paper(_strip_endings(m), files, main=m) for m in mains]
    else:
        papers = [read_paper(job.name, files)]
    if papers:
        papers[0].skipped.update(job.problems)
    return papers
