"""Where a long preparation keeps what it has done, so that it can go on after an interruption."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write

_SETTINGS = "settings.json"


class StepCache:
    """A folder of finished steps beside a store, for one set of settings.

    Steps made with other settings, or from other data, are thrown away.

    Args:
        folder: the folder of the source's stores.
        settings: all that the steps depend on, as JSON can hold it.

    Attributes:
        folder: where the steps are kept.
        resumed: whether there were steps of an earlier preparation.

    Raises:
        Im2TexError: if the folder cannot be made.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder / ".preparing"
        text = json.dumps(settings, sort_keys=True, indent=1)
        note = self.folder / _SETTINGS
        self.resumed = False
        try:
            if not (note.exists() and note.read_text(encoding="utf-8") == text):
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                note.write_text(text, encoding="utf-8")
            else:
                self.resumed = any(self.folder.glob("*.parquet"))
        except OSError as error:
            raise Im2TexError(self._unwritable(error)) from error

    def step(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The result of a step: as kept, or made now and kept.

        Raises:
            Im2TexError: if it cannot be written.
        """
        path = self.folder / f"{name}.parquet"
        try:
            return pq.read_table(path)
        except FileNotFoundError:
            pass
        except (pa.ArrowException, OSError):
            path.unlink(missing_ok=True)  # damaged: made again
        table = make()
        try:
            with atomic_write(path) as part:
                pq.write_table(table, part, compression="zstd")
        except OSError as error:
            raise Im2TexError(self._unwritable(error)) from error
        return table

    @property
    def staged(self) -> Path:
        """Where the finished store is written before `publish` puts it in its place."""
        return self.folder / "store"

    def publish(self) -> None:
        """Moves everything staged to the folder of the source's stores, and clears the cache.

        Raises:
            Im2TexError: if that folder cannot be written.
        """
        folder = self.folder.parent
        try:
            for file in self.staged.iterdir():
                file.replace(folder / file.name)
        except OSError as error:
            raise Im2TexError(f"cannot write to {folder}: {error.strerror or error}.") from error
        self.clear()

    def clear(self) -> None:
        """Removes the folder: everything is in the store now."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unwritable(self, error: OSError) -> str:
        return (
            f"cannot write to {self.folder}: {error.strerror or error}. Choose another folder with "
            "--root, or make room there; the preparation goes on where it stopped."
        )


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells that files have changed: their places, sizes and times.

    Args:
        path: a file, or a folder with all that is below it.
    """
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    found = sha256()
    for file in files:
        status = file.stat()
        place = file.relative_to(path.parent).as_posix()
        found.update(f"{place}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return {"path": path.name, "files": len(files), "digest": found.hexdigest()}
