"""`im2tex render`: a file of formulas into a folder of pictures and a report."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.render import CAUSES, Cause, open_renderer
from im2tex.render.cache import default_cache_path
from im2tex.utils.progress import progress_bar
from im2tex.utils.text_files import read_lines

REPORT = "report.jsonl"


def render(
    formulas: Path,
    folder: Path,
    *,
    engine: str = "tex",
    dpi: int = 200,
    workers: int | None = None,
    cache: Path | None = None,
    use_cache: bool = True,
) -> int:
    """Draws each line of a file as `FOLDER/NNNNNN.png`, and says in `report.jsonl` how that went.

    A line of the report: `line` from zero, `file` (null where there is none), `engine`, `height`
    and `width` in pixels, or `cause` and `reason` of a failure. The engine's full signature is in
    each line's `signature`.

    Args:
        formulas: a formula a line, see `read_lines`.
        folder: made if it is not there; what an earlier report there lists is removed first.
        engine: `tex` or `builtin`.
        dpi: pixels an inch.
        workers: batches drawn at a time.
        cache: file of pictures kept between runs.
        use_cache: whether to keep any.

    Returns:
        How many formulas were not drawn.

    Raises:
        Im2TexError: if the file cannot be read, the folder cannot be written or holds something
            else, or the engine is not there.
    """
    lines = read_lines(formulas)
    started = time.monotonic()
    causes: Counter[Cause] = Counter()
    kept = (cache or default_cache_path()) if use_cache else None
    with open_renderer(engine, dpi=dpi, workers=workers, cache=kept) as renderer:
        _clear(folder)
        try:
            with (
                (folder / REPORT).open("w", encoding="utf-8") as report,
                progress_bar("drawing", len(lines)) as progress,
            ):
                for number, rendering in enumerate(renderer.render(lines)):
                    entry: dict[str, object] = {"line": number, "file": None, "engine": engine}
                    if rendering.png is not None:
                        entry["file"] = f"{number:06d}.png"
                        (folder / f"{number:06d}.png").write_bytes(rendering.png)
                        entry["height"], entry["width"] = _size(rendering.png)
                    if rendering.failure is not None:
                        causes[rendering.failure.cause] += 1
                        entry["cause"] = str(rendering.failure.cause)
                        entry["reason"] = rendering.failure.reason
                    entry["signature"] = renderer.signature
                    report.write(json.dumps(entry, ensure_ascii=False) + "\n")
                    progress.advance()
        except OSError as error:
            raise Im2TexError(f"cannot write to {folder}: {error.strerror or error}.") from None
    failed = causes.total()
    seconds = time.monotonic() - started
    print(
        f"{len(lines) - failed:,} of {len(lines):,} formulas drawn by engine {engine} in "
        f"{seconds:.1f} s, into {folder}",
        file=sys.stderr,
    )
    for cause, count in causes.most_common():
        print(f"  {count:,} not: {CAUSES[cause]} ({cause})", file=sys.stderr)
    if failed:
        print(f"  Which and why: {folder / REPORT}", file=sys.stderr)
    return failed


def _size(png: bytes) -> tuple[int, int]:
    """Height and width, from where every PNG has them."""
    width, height = np.frombuffer(png, ">u4", 2, offset=16).tolist()
    return height, width


def _clear(folder: Path) -> None:
    """Makes the folder, and removes what an earlier report lists, so that nothing old stays.

    Raises:
        Im2TexError: if it holds files but no report: those are not ours.
    """
    report = folder / REPORT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if report.exists():
            for name in _listed(report):
                (folder / name).unlink(missing_ok=True)
        elif any(folder.iterdir()):
            raise Im2TexError(
                f"{folder} holds files that `im2tex render` did not make: name an empty folder."
            )
    except OSError as error:
        raise Im2TexError(f"cannot write to {folder}: {error.strerror or error}.") from None


def _listed(report: Path) -> Iterator[str]:
    for line in report.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            name = json.loads(line)["file"]
        except (ValueError, KeyError, TypeError):
            continue
        # Only names that this command gives: a report must not lead out of its folder.
        if isinstance(name, str) and Path(name).name == name and name.endswith(".png"):
            yield name
