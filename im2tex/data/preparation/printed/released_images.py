"""Pictures that a data set comes with: read from its folder or archive, made small, kept."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import pyarrow as pa

from im2tex.data.preparation.printed.formulas import Candidate, quiet
from im2tex.data.preparation.printed.paper_images import EncodedImage, image_from_file
from im2tex.data.preparation.printed.rendering import RenderFn, RenderResult
from im2tex.data.preparation.raw_files import iter_files
from im2tex.data.preparation.resumable import StepCache
from im2tex.errors import Im2TexError
from im2tex.utils.progress import progress_bar

_PART = 1000  # pages read between two savings, and held in memory
_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("image", pa.binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("reason", pa.string()),
    ]
)


def images_by_name(cache: StepCache, origin: Path, names: Collection[str]) -> RenderFn:
    """Gives candidates the pictures whose name is in their `extra["image"]`.

    Args:
        cache: keeps the pictures as they are read.
        origin: folder or archive.
        names: of the pictures wanted, without ending.
    """
    found = dict(_read(cache, origin, names))

    def draw(candidates: Sequence[Candidate]) -> Iterator[RenderResult]:
        for candidate in candidates:
            name = candidate.extra["image"]
            yield found.get(name) or RenderResult(
                None, "no such picture", f"{name} in {origin.name}"
            )

    return draw


def _read(
    cache: StepCache, origin: Path, names: Collection[str]
) -> Iterator[tuple[str, RenderResult]]:
    files = (file for file in iter_files(origin, (".png",)) if file.path.stem in names)
    workers = os.cpu_count() or 1
    with (
        ProcessPoolExecutor(workers, initializer=quiet) as pool,
        progress_bar("reading", len(names)) as b,
    ):
        number = 0
        while part := list(islice(files, _PART)):

            def make(part: Sequence[object] = part) -> pa.Table:
                data = [(file.path.stem, file.data, file.problem) for file in part]  # type: ignore[attr-defined]
                rows = list(pool.map(_row, data, chunksize=20))
                return pa.Table.from_pylist(rows, schema=_SCHEMA)

            table = cache.step(f"images-{number:05d}", make)
            number += 1
            b.advance(len(part))
            for row in table.to_pylist():
                yield row["name"], _outcome(row)


def _row(file: tuple[str, bytes | None, str]) -> dict[str, object]:
    name, data, problem = file
    row: dict[str, object] = {"name": name, "reason": problem}
    if data is not None:
        try:
            picture = image_from_file(data)
            row |= {"image": picture.png, "height": picture.height, "width": picture.width}
        except Im2TexError as error:
            row["reason"] = str(error)
    return row


def _outcome(row: dict[str, object]) -> RenderResult:
    if row["image"] is None:
        return RenderResult(None, "its picture cannot be read", str(row["reason"]))
    return RenderResult(EncodedImage(row["image"], row["height"], row["width"]))  # type: ignore[arg-type]
