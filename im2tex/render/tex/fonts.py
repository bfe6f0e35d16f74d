"""Finds TeX's font metrics and keeps them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from im2tex.render.tex import dvi, sandbox
from im2tex.render.tex.sandbox import SandboxLimits
from im2tex.render.tex.tfm import Metrics, read_tfm

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
        self._known: dict[str, Metrics] = {}
        self._lock = Lock()

    def of(self, data: bytes) -> Callable[[str], Metrics]:
        """Looks up the fonts of a DVI file, and gives their metrics by name.

        Raises:
            DviError: if the file is not one that TeX has finished.
            TfmError: if the metrics of a font cannot be read.
        """
        names = {name for name, _ in dvi.fonts(data).values()}
        with self._lock:
            missing = sorted(name for name in names - self._known.keys() if _NAME.fullmatch(name))
            if missing:
                for path in font_files(missing, ".tfm", self._folder, self._environment):
                    self._known[path.stem] = read_tfm(path.read_bytes())
        return self._known.__getitem__


def font_files(
    names: Iterable[str], ending: str, folder: Path, environment: Mapping[str, str]
) -> list[Path]:
    """The files of fonts, as far as TeX has them; names that no font has are passed over.

    Args:
        names: of the fonts.
        ending: of the files, with its dot.
        folder: where `kpsewhich` may run.
        environment: what it knows of its surroundings.
    """
    files = [f"{name}{ending}" for name in names if _NAME.fullmatch(name)]
    with TemporaryDirectory(dir=folder) as place:
        found = sandbox.run(["kpsewhich", *files], Path(place), environment, SandboxLimits())
    paths = map(Path, found.output.splitlines())
    return [path for path in paths if path.suffix == ending and path.is_file()]
