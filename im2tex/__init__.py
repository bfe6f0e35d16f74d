"""im2tex: pictures of formulas, above all handwritten ones, into LaTeX.

`im2tex.Im2Tex` and `im2tex.FormulaDataModule` are imported when first asked for, so that
`import im2tex` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from im2tex.data.datamodule import FormulaDataModule
    from im2tex.training.module import Im2Tex

__all__ = ["FormulaDataModule", "Im2Tex", "__version__"]
__version__ = "0.1.0"

_HOMES = {"FormulaDataModule": "im2tex.data.datamodule", "Im2Tex": "im2tex.training.module"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'im2tex' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
