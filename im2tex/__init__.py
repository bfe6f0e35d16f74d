"""im2tex converts images of formulas, handwritten or printed, to LaTeX.

`Im2Tex`, `FormulaDataModule` and `Recognizer` are imported on first use, so that `import im2tex`
is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from im2tex.data.datamodule import FormulaDataModule
    from im2tex.model.recognizer import Recognizer
    from im2tex.training.module import Im2Tex
    from im2tex.utils.version import __version__

_MODULES = {
    "FormulaDataModule": "im2tex.data.datamodule",
    "Im2Tex": "im2tex.training.module",
    "Recognizer": "im2tex.model.recognizer",
    "__version__": "im2tex.utils.version",
}

__all__ = ["FormulaDataModule", "Im2Tex", "Recognizer", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'im2tex' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
