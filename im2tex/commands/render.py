"""`im2tex render`: draws a file of formulas into a folder of images."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

from im2tex.errors import Im2TexError
from im2tex.utils.files import wrap_os_errors
from im2tex.utils.progress import progress_bar
from im2tex.utils.text_files import read_lines
from im2tex.utils.wording import counted

REPORT = "report.jsonl"
_LISTED_IMAGE = re.compile(r'^\{"line": \d+, "file": "(\d{6,}\.png)"', re.MULTILINE)


def render(
    formulas: Path,
    folder: Path,
    *,
    engine: str = "tex",
    dpi: int = 200,
    workers: int | None = None,
    cache: Path | None = None,
    no_cache: bool = False,
) -> int:
    """Draws each line of a file as FOLDER/NNNNNN.png, numbered from 0, and writes report.jsonl.

    Each line of the report has the line's number, the file (null after a failure), the engine and
    its signature, and the size in pixels or the cause and reason of the failure. The images that
    an earlier report lists are removed first. The exit status is 1 if any formula could not be
    drawn.

    Args:
        formulas: text file with one formula per line.
        folder: folder to write to; a new or empty one, or that of an earlier run.
        engine: tex, which needs LaTeX, or builtin, which does not and knows fewer commands.
        dpi: pixels per inch.
        workers: batches that are drawn in parallel; one per core if not given.
        cache: file that keeps images between runs; one in ~/.cache if not given.
        no_cache: draw every formula, and keep no images.

    Returns:
        How many formulas were not drawn.

    Raises:
        Im2TexError: if the file cannot be read, the folder is not writable or holds other files,
            or the engine is not installed.
    """
    from im2tex.render import CAUSES, Cause, open_renderer
    from im2tex.render.cache import default_cache_path

    lines = read_lines(formulas)
    started = time.monotonic()
    causes: Counter[Cause] = Counter()
    cache_path = None if no_cache else cache or default_cache_path()
    with (
        open_renderer(engine, dpi=dpi, workers=workers, cache=cache_path) as renderer,
        wrap_os_errors(f"write to {folder}"),
        _open_report(folder) as report,
        progress_bar("drawing", len(lines)) as progress,
    ):
        for number, rendering in enumerate(renderer.render(lines)):
            entry: dict[str, object] = {"line": number, "file": None, "engine": engine}
            if rendering.png is not None:
                entry["file"] = f"{number:06d}.png"
                (folder / f"{number:06d}.png").write_bytes(rendering.png)
                entry["height"], entry["width"] = rendering.height, rendering.width
            if rendering.failure is not None:
                causes[rendering.failure.cause] += 1
                entry["cause"] = str(rendering.failure.cause)
                entry["reason"] = rendering.failure.reason
            entry["signature"] = renderer.signature
            report.write(json.dumps(entry, ensure_ascii=False) + "\n")
            progress.advance()
    failures = causes.total()
    print(
        f"{len(lines) - failures:,} of {counted(len(lines), 'formula')} drawn by engine {engine} "
        f"in {time.monotonic() - started:.1f} s, into {folder}",
        file=sys.stderr,
    )
    for cause, count in causes.most_common():
        print(f"  {count:,} not: {CAUSES[cause]} ({cause})", file=sys.stderr)
    if failures:
        print(f"  Details: {folder / REPORT}", file=sys.stderr)
    return failures


def _open_report(folder: Path) -> IO[str]:
    """Creates the folder, removes the images that an earlier report lists, opens a new report.

    Raises:
        Im2TexError: if the folder holds files but no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / REPORT
    if report.exists():
        # The pattern has no slash, so that a report that someone edited leads to no other folder.
        for name in _LISTED_IMAGE.findall(report.read_text(encoding="utf-8", errors="replace")):
            (folder / name).unlink(missing_ok=True)
    elif any(folder.iterdir()):
        raise Im2TexError(
            f"{folder} holds files that `im2tex render` did not make: name an empty folder."
        )
    return report.open("w", encoding="utf-8")
