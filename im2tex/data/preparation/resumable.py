"""Caches the finished steps of a preparation, so that an interrupted preparation can resume."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2tex.data.preparation.publishing import move_files
from im2tex.utils.files import atomic_write, wrap_os_errors

_SETTINGS = "settings.json"


class StepCache:
    """A folder of finished steps beside a store, valid for one set of settings.

    Steps of other settings or other raw data are deleted.

    Example::

        cache = StepCache(root / "arxiv", {"version": 1, "raw_data": file_fingerprint(path)})
        table = cache.step("plan", lambda: plan(path))  # computed once, read afterwards
        write_split(cache.staged / "train.parquet", samples(table), {})
        cache.publish()

    Args:
        folder: folder of the source's stores.
        settings: everything that the steps depend on, as JSON values.

    Attributes:
        folder: folder of the steps.
        resumed: whether steps of an earlier, interrupted preparation were found.

    Raises:
        Im2TexError: if the folder cannot be created.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder / ".preparing"
        text = json.dumps(settings, sort_keys=True, indent=1)
        note = self.folder / _SETTINGS
        self.resumed = False
        with self._wrap_write_errors():
            if note.exists() and note.read_text(encoding="utf-8") == text:
                self.resumed = any(self.folder.glob("*.parquet"))
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                note.write_text(text, encoding="utf-8")

    def step(self, name: str, compute: Callable[[], pa.Table]) -> pa.Table:
        """Returns the table of a step: from the cache, or computed and cached.

        Raises:
            Im2TexError: if the table cannot be written.
        """
        path = self.folder / f"{name}.parquet"
        try:
            return pq.read_table(path)
        except FileNotFoundError:
            pass
        except (pa.ArrowException, OSError):
            path.unlink(missing_ok=True)  # a damaged file is computed again
        table = compute()
        with self._wrap_write_errors(), atomic_write(path) as part:
            pq.write_table(table, part, compression="zstd")
        return table

    @property
    def staged(self) -> Path:
        """Folder of the finished store until `publish` moves it to its final place."""
        return self.folder / "store"

    def publish(self) -> None:
        """Moves the staged files to the folder of the source's stores and deletes the cache.

        Raises:
            Im2TexError: if that folder cannot be written.
        """
        move_files(self.staged, self.folder.parent)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wrap_write_errors(self) -> AbstractContextManager[None]:
        return wrap_os_errors(
            f"write to {self.folder}",
            "Choose another folder with --root, or free space there; the preparation resumes where "
            "it stopped.",
        )


def file_fingerprint(path: Path) -> dict[str, Any]:
    """Returns a digest of the names, sizes and modification times of a file or a folder's files."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    digest = sha256()
    for file in files:
        status = file.stat()
        name = file.relative_to(path.parent).as_posix()
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return {"path": path.name, "files": len(files), "digest": digest.hexdigest()}
