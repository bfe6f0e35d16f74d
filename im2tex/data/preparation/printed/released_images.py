"""Images that a data set is released with: read from a folder or archive, downsampled, cached."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from im2tex.data.preparation.printed.formulas import Candidate
from im2tex.data.preparation.printed.paper_images import image_from_file
from im2tex.data.preparation.printed.rendering import RESULT_SCHEMA, RenderFn, RenderResult
from im2tex.data.preparation.raw_files import RawFile, iter_files
from im2tex.data.preparation.resumable import StepCache
from im2tex.errors import Im2TexError
from im2tex.utils.processes import initialize_worker
from im2tex.utils.progress import progress_bar

_CHUNK = 1000  # images in memory, and between two writes to the cache
_SCHEMA = pa.schema([("name", pa.string()), *RESULT_SCHEMA])


def images_by_name(cache: StepCache, raw_data: Path, names: Collection[str]) -> RenderFn:
    """Returns a function that finds the images of candidates by their `extra["image"]`.

    Args:
        cache: cache of the downsampled images.
        raw_data: folder or archive of the images.
        names: names of the wanted images, without ending.
    """
    found = dict(_read_images(cache, raw_data, names))

    def find(candidates: Sequence[Candidate]) -> Iterator[RenderResult]:
        for candidate in candidates:
            name = candidate.extra["image"]
            yield found.get(name) or RenderResult(
                reason="the image does not exist", detail=f"{name} in {raw_data.name}"
            )

    return find


def _read_images(
    cache: StepCache, raw_data: Path, names: Collection[str]
) -> Iterator[tuple[str, RenderResult]]:
    files = (file for file in iter_files(raw_data, (".png",)) if file.path.stem in names)
    with (
        ProcessPoolExecutor(initializer=initialize_worker) as pool,
        progress_bar("reading", len(names)) as shown,
    ):
        number = 0
        while chunk := list(islice(files, _CHUNK)):

            def compute(chunk: Sequence[RawFile] = chunk) -> pa.Table:
                return pa.Table.from_pylist(list(pool.map(_row, chunk, chunksize=20)), _SCHEMA)

            for row in cache.step(f"images-{number:05d}", compute).to_pylist():
                yield row.pop("name"), RenderResult(**row)
            number += 1
            shown.advance(len(chunk))


def _row(file: RawFile) -> dict[str, Any]:
    problem = file.problem
    if file.data is not None:
        try:
            image = RenderResult(*image_from_file(file.data))
            return {"name": file.path.stem, **image._asdict()}
        except Im2TexError as error:
            problem = str(error)
    failure = RenderResult(reason="the image cannot be read", detail=problem)
    return {"name": file.path.stem, **failure._asdict()}
