"""Stores renderings between runs, by markup and signature of the renderer.

If the file cannot be used, the renderer warns once and renders everything; it never repairs or
removes the file, which may belong to another program. Each row has a checksum; a damaged row counts
as missing.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path

from im2tex.render.parallel import BATCH_SIZE
from im2tex.render.rendering import Cause, Failure, Renderer, Rendering
from im2tex.utils.cache_folder import user_cache_folder

MAX_BYTES = 2 << 30
"""Size of a file at which the oldest third of its rows is removed."""

_LOCK_TIMEOUT = 10.0  # seconds to wait for other processes that use the file

_TABLE = (
    "CREATE TABLE IF NOT EXISTS renderings "
    "(key BLOB PRIMARY KEY, png BLOB, cause TEXT, reason TEXT, checksum BLOB)"
)
_SIDE_FILES = ("", "-journal", "-wal", "-shm")  # files that SQLite opens for one path
# ValueError: a path or a number that SQLite's interface does not take.
_FILE_ERRORS = (OSError, sqlite3.Error, ValueError, OverflowError)


def default_cache_path() -> Path | None:
    """Returns `$XDG_CACHE_HOME/im2tex/renderings.sqlite`, or None without a home folder."""
    folder = user_cache_folder()
    return None if folder is None else folder / "renderings.sqlite"


class CachedRenderer:
    """Renders formulas that have not been rendered with the same signature before.

    Failures are kept too, except exceeded limits, which depend on the machine. Several processes
    may share a file.

    Args:
        renderer: renders missing formulas.
        path: the file; it is made if missing, with its folder.
        max_bytes: see `MAX_BYTES`.
    """

    def __init__(self, renderer: Renderer, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._renderer = renderer
        self._path = path
        self._max_bytes = max_bytes
        self._base: sqlite3.Connection | None = None
        self.engine = renderer.engine
        self.signature = renderer.signature
        try:
            self._base = self._open()
        except _FILE_ERRORS as error:
            self._disable(error)

    def _open(self) -> sqlite3.Connection:
        """Opens the file and makes its table."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in _SIDE_FILES:
            file = Path(f"{self._path}{suffix}")
            # Opening a pipe or a device may block.
            if file.exists() and not file.is_file():
                raise OSError(f"{file.name} is not a regular file")
        base = sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, check_same_thread=False)
        try:
            base.execute("PRAGMA synchronous=NORMAL")
            base.execute(_TABLE)
        except BaseException:
            base.close()
            raise
        return base

    def _disable(self, error: Exception) -> None:
        """Warns that the file is not used from here on."""
        with suppress(sqlite3.Error):
            if self._base is not None:
                self._base.close()
        self._base = None
        reason = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(
            f"the cache of renderings {self._path} is not used ({reason}); everything is "
            "rendered. Remove the file, or name another one.",
            stacklevel=2,
        )

    def close(self) -> None:
        """Closes the file and the renderer."""
        try:
            if self._base is not None:
                self._base.close()
        except sqlite3.Error as error:
            self._disable(error)
        finally:
            self._base = None
            self._renderer.close()

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Yields a rendering of each formula, in order; see `Renderer`."""
        stream = iter(formulas)
        # A block has several batches, so that all workers of the renderer are busy.
        while block := list(islice(stream, 16 * BATCH_SIZE)):
            yield from self._render_block(block)

    def _render_block(self, formulas: list[str]) -> Iterator[Rendering]:
        keys = [self._key(formula) for formula in formulas]
        known = self._load(set(keys))
        missing = {k: f for k, f in zip(keys, formulas, strict=True) if k not in known}
        rendered: dict[bytes, Rendering] = {}
        renderings = zip(missing, self._renderer.render(list(missing.values())), strict=True)
        try:
            for key in keys:
                while key not in known and key not in rendered:
                    new, rendering = next(renderings)
                    rendered[new] = rendering
                yield known.get(key) or rendered[key]
        finally:
            self._store(rendered)

    def _key(self, formula: str) -> bytes:
        return sha256(f"{self.signature}\0{formula}".encode("utf-8", "surrogatepass")).digest()

    def _load(self, keys: set[bytes]) -> dict[bytes, Rendering]:
        """Returns the stored renderings; none if the file cannot be read."""
        found: dict[bytes, Rendering] = {}
        if self._base is None:
            return found
        remaining = iter(keys)
        try:
            while chunk := list(islice(remaining, 500)):
                marks = ",".join("?" * len(chunk))
                query = f"SELECT * FROM renderings WHERE key IN ({marks})"
                for key, *row in self._base.execute(query, chunk):
                    rendering = _from_row(key, *row)
                    if rendering is not None:
                        found[key] = rendering
        except _FILE_ERRORS as error:
            self._disable(error)
            return {}
        return found

    def _store(self, rendered: dict[bytes, Rendering]) -> None:
        rows = [
            _to_row(key, item)
            for key, item in rendered.items()
            if item.failure is None or item.failure.cause is not Cause.LIMIT
        ]
        if self._base is None or not rows:
            return
        try:
            with self._base:
                self._base.executemany(
                    "INSERT OR REPLACE INTO renderings VALUES (?, ?, ?, ?, ?)", rows
                )
            self._shrink(self._base)
        except _FILE_ERRORS as error:
            self._disable(error)

    def _shrink(self, base: sqlite3.Connection) -> None:
        """Removes the oldest rows of a file that exceeds its maximum size."""
        pages, free, size = (
            base.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._max_bytes:
            with base:
                base.execute(
                    "DELETE FROM renderings WHERE rowid IN (SELECT rowid FROM renderings "
                    "ORDER BY rowid LIMIT (SELECT count(*) / 3 + 1 FROM renderings))"
                )


def _to_row(key: bytes, item: Rendering) -> tuple[bytes | str | None, ...]:
    cause = reason = None
    if item.failure is not None:
        # A reason may quote surrogates, which SQLite does not store.
        reason = item.failure.reason.encode("utf-8", "replace").decode()
        cause = str(item.failure.cause)
    return key, item.png, cause, reason, _checksum(key, item.png, cause, reason)


def _from_row(
    key: bytes, png: bytes | None, cause: str | None, reason: str | None, checksum: bytes
) -> Rendering | None:
    """Returns the rendering of a row, or None if the row is damaged."""
    if checksum != _checksum(key, png, cause, reason):
        return None
    return Rendering(png, Failure(Cause(cause), str(reason)) if cause else None)


def _checksum(*values: bytes | str | None) -> bytes:
    return sha256(repr(values).encode()).digest()
