"""Pictures kept between runs, by markup and by everything else that they depend on.

A cache is optional. Whatever goes wrong with its file, the cache is left out with one warning, and
everything is drawn; the file is never repaired or removed here, since it may be anybody's. A row
carries a checksum, so that a damaged row counts as missing.
"""

from __future__ import annotations

import os
import sqlite3
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path

from im2tex.render.parallel import BATCH
from im2tex.render.rendering import Cause, Failure, Renderer, Rendering

MAX_BYTES = 2 << 30
"""Size that a cache may grow to; the oldest third of it then goes."""

_PATIENCE = 10.0  # seconds to wait for others who use the file

_TABLE = (
    "CREATE TABLE IF NOT EXISTS renderings "
    "(key BLOB PRIMARY KEY, png BLOB, cause TEXT, reason TEXT, checksum BLOB)"
)
_SIDE_FILES = ("", "-journal", "-wal", "-shm")  # what SQLite opens for one file
# ValueError: a path or a number that SQLite's interface does not take.
_FAULTS = (OSError, sqlite3.Error, ValueError, OverflowError)


def default_cache_path() -> Path | None:
    """Where pictures are kept: `$XDG_CACHE_HOME/im2tex/renderings.sqlite`; None without a home."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # neither $HOME nor an entry of this user
        return None
    return base / "im2tex/renderings.sqlite"


class CachedRenderer:
    """Draws what has not been drawn before with the same signature.

    Failures are kept too, but for those of limits, which depend on the machine. Several processes
    may share a file. A file that cannot be used is warned of once and not used.

    Args:
        renderer: draws.
        path: the file; made, with its folder, if it is not there.
        max_bytes: size that it may grow to.
    """

    def __init__(self, renderer: Renderer, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._renderer = renderer
        self._path = path
        self._max_bytes = max_bytes
        self._base: sqlite3.Connection | None = None
        self.engine = renderer.engine
        self.signature = renderer.signature
        self.hits = 0
        try:
            self._base = self._opened()
        except _FAULTS as error:
            self._leave_out(error)

    def _opened(self) -> sqlite3.Connection:
        """The file, ready for use."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for ending in _SIDE_FILES:
            file = Path(f"{self._path}{ending}")
            # A pipe or a device may keep whoever opens it waiting.
            if file.exists() and not file.is_file():
                raise OSError(f"{file.name} is not a regular file")
        base = sqlite3.connect(self._path, timeout=_PATIENCE, check_same_thread=False)
        try:
            _write_ahead(base)
            base.execute("PRAGMA synchronous=NORMAL")
            base.execute(_TABLE)
            columns = [row[1] for row in base.execute("PRAGMA table_info(renderings)")]
            if columns == ["key", "png", "cause", "reason"]:
                # Before there were checksums. Its rows have none, so they are drawn again.
                with base:
                    base.execute("ALTER TABLE renderings ADD COLUMN checksum BLOB")
        except BaseException:
            base.close()
            raise
        return base

    def _leave_out(self, error: Exception) -> None:
        """Warns that the file is not used from here on."""
        with suppress(sqlite3.Error):
            if self._base is not None:
                self._base.close()
        self._base = None
        reason = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(
            f"the cache of pictures {self._path} is not used ({reason}); everything is drawn. "
            "Remove the file, or name another one.",
            stacklevel=2,
        )

    def close(self) -> None:
        """Closes the file and the renderer."""
        try:
            if self._base is not None:
                self._base.close()
        except sqlite3.Error as error:
            self._leave_out(error)
        finally:
            self._base = None
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
        """What the file has; nothing if it cannot be read."""
        found: dict[bytes, Rendering] = {}
        if self._base is None:
            return found
        waiting = iter(keys)
        try:
            while some := list(islice(waiting, 500)):
                marks = ",".join("?" * len(some))
                query = f"SELECT * FROM renderings WHERE key IN ({marks})"
                for key, *row in self._base.execute(query, some):
                    rendering = _rendering(key, *row)
                    if rendering is not None:
                        found[key] = rendering
        except _FAULTS as error:
            self._leave_out(error)
            return {}
        return found

    def _keep(self, drawn: dict[bytes, Rendering]) -> None:
        rows = [
            _row(key, item)
            for key, item in drawn.items()
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
        except _FAULTS as error:
            self._leave_out(error)

    def _shrink(self, base: sqlite3.Connection) -> None:
        """Removes the oldest rows of a file that has grown too large."""
        pages = base.execute("PRAGMA page_count").fetchone()[0]
        free = base.execute("PRAGMA freelist_count").fetchone()[0]
        size = base.execute("PRAGMA page_size").fetchone()[0]
        if (pages - free) * size > self._max_bytes:
            with base:
                base.execute(
                    "DELETE FROM renderings WHERE rowid IN (SELECT rowid FROM renderings "
                    "ORDER BY rowid LIMIT (SELECT count(*) / 3 + 1 FROM renderings))"
                )


def _write_ahead(base: sqlite3.Connection) -> None:
    """Puts a file into the mode in which readers do not wait for writers.

    SQLite does not wait here by itself when another process does the same at this moment.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            base.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.05)


_Row = tuple[bytes, bytes | None, str | None, str | None, bytes]


def _row(key: bytes, item: Rendering) -> _Row:
    """A rendering as it is kept."""
    cause = None if item.failure is None else str(item.failure.cause)
    # A surrogate, which a reason may quote, is nothing that SQLite keeps.
    reason = None if item.failure is None else item.failure.reason.encode("utf-8", "replace")
    text = None if reason is None else reason.decode()
    return key, item.png, cause, text, _checksum(key, item.png, cause, text)


def _rendering(
    key: object, png: object, cause: object, reason: object, checksum: object
) -> Rendering | None:
    """A kept rendering; None unless it is as it was written."""
    if checksum != _checksum(key, png, cause, reason):
        return None
    if isinstance(png, bytes) and cause is None:
        return Rendering(png)
    if isinstance(cause, str) and isinstance(reason, str) and png is None:
        return Rendering(None, Failure(Cause(cause), reason))
    return None


def _checksum(*values: object) -> bytes:
    """Of a row's values; two rows that differ in anything have different ones."""
    digest = sha256()
    for value in values:
        data = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(f"{type(value).__name__} {len(data)} ".encode())
        digest.update(data)
    return digest.digest()
