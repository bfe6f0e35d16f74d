"""Pictures kept between runs, by markup and by everything else that they depend on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.render.batches import BATCH
from im2tex.render.rendering import Cause, Failure, Renderer, Rendering

MAX_BYTES = 2 << 30
"""Size that a cache may grow to; the oldest third of it then goes."""

_PATIENCE = 60.0  # seconds to wait for others who use the file

_TABLE = (
    "CREATE TABLE IF NOT EXISTS renderings "
    "(key BLOB PRIMARY KEY, png BLOB, cause TEXT, reason TEXT)"
)


def default_path() -> Path:
    """Where pictures are kept: `$XDG_CACHE_HOME/im2tex/renderings.sqlite`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / (
        "im2tex/renderings.sqlite"
    )


class CachedRenderer:
    """Draws what has not been drawn before with the same signature.

    Failures are kept too, but for those of limits, which depend on the machine. Several processes
    may share a file.

    Args:
        renderer: draws.
        path: the file; made, with its folder, if it is not there.
        max_bytes: size that it may grow to.

    Raises:
        Im2TexError: if it cannot be opened.
    """

    def __init__(self, renderer: Renderer, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._renderer = renderer
        self._path = path
        self._max_bytes = max_bytes
        self.engine = renderer.engine
        self.signature = renderer.signature
        self.hits = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
            self._write_ahead()
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise Im2TexError(
                f"the cache of pictures {path} cannot be used ({error}): "
                "remove it, name another with --cache, or take --no-cache."
            ) from None

    def _write_ahead(self) -> None:
        """Puts the file into the mode in which readers do not wait for writers.

        SQLite does not wait here by itself when another process does the same at this moment.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self._base.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def close(self) -> None:
        """Closes the file and the renderer."""
        self._base.close()
        self._renderer.close()

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Draws formulas, a rendering each, in order; see `Renderer`."""
        stream = iter(formulas)
        # Looked up a few batches at a time, so that the renderer has all its workers busy.
        while block := list(islice(stream, 16 * BATCH)):
            yield from self._block(block)

    def _block(self, formulas: list[str]) -> Iterator[Rendering]:
        keys = [self._key(formula) for formula in formulas]
        known = self._look_up(set(keys))
        self.hits += sum(key in known for key in keys)
        missing = {k: f for k, f in zip(keys, formulas, strict=True) if k not in known}
        drawn: dict[bytes, Rendering] = {}
        fresh = zip(missing, self._renderer.render(list(missing.values())), strict=True)
        try:
            for key in keys:
                while key not in known and key not in drawn:
                    new, rendering = next(fresh)
                    drawn[new] = rendering
                yield known.get(key) or drawn[key]
        finally:
            self._keep(drawn)

    def _key(self, formula: str) -> bytes:
        return sha256(f"{self.signature}\0{formula}".encode("utf-8", "surrogatepass")).digest()

    def _look_up(self, keys: set[bytes]) -> dict[bytes, Rendering]:
        found: dict[bytes, Rendering] = {}
        waiting = iter(keys)
        while some := list(islice(waiting, 500)):
            marks = ",".join("?" * len(some))
            query = f"SELECT key, png, cause, reason FROM renderings WHERE key IN ({marks})"
            for key, png, cause, reason in self._base.execute(query, some):
                failure = None if cause is None else Failure(Cause(cause), reason)
                found[key] = Rendering(png, failure)
        return found

    def _keep(self, drawn: dict[bytes, Rendering]) -> None:
        rows = [
            (
                key,
                item.png,
                item.failure and str(item.failure.cause),
                item.failure and item.failure.reason,
            )
            for key, item in drawn.items()
            if item.failure is None or item.failure.cause is not Cause.LIMIT
        ]
        with self._base:
            self._base.executemany("INSERT OR REPLACE INTO renderings VALUES (?, ?, ?, ?)", rows)
        pages = self._base.execute("PRAGMA page_count").fetchone()[0]
        free = self._base.execute("PRAGMA freelist_count").fetchone()[0]
        size = self._base.execute("PRAGMA page_size").fetchone()[0]
        if (pages - free) * size > self._max_bytes:
            with self._base:
                self._base.execute(
                    "DELETE FROM renderings WHERE rowid IN (SELECT rowid FROM renderings "
                    "ORDER BY rowid LIMIT (SELECT count(*) / 3 + 1 FROM renderings))"
                )
