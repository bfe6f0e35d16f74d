"""Finds TeX's font metrics and keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from im2tex.render import dvi, sandbox

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class FontMetrics:
    """The metrics of the fonts that a DVI file uses, each read once.

    Args:
        folder: where `kpsewhich` may run.
        environment: what it knows of its surroundings.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._known: dict[str, dvi.Metrics] = {}
        self._lock = Lock()

    def of(self, data: bytes) -> Callable[[str], dvi.Metrics]:
        """Looks up the fonts of a DVI file, and gives their metrics by name.

        Raises:
            dvi.DviError: if a file cannot be read.
        """
        names = {name for name, _ in dvi.fonts(data).values()}
        with self._lock:
            missing = sorted(name for name in names - self._known.keys() if _NAME.fullmatch(name))
            if missing:
                with TemporaryDirectory(dir=self._folder) as folder:
                    found = sandbox.run(
                        ["kpsewhich", *(f"{name}.tfm" for name in missing)],
                        Path(folder),
                        self._environment,
                        sandbox.Limits(),
                    )
                for line in found.output.splitlines():
                    path = Path(line)
                    if path.suffix == ".tfm" and path.is_file():
                        self._known[path.stem] = dvi.read_tfm(path.read_bytes())
        return self._known.__getitem__
