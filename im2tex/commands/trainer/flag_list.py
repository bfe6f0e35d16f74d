"""Writes `flags.py`, the list of flags, from the signatures that LightningCLI makes them of.

python -m im2tex.commands.trainer.flag_list
"""

from __future__ import annotations

import inspect
from pathlib import Path

from lightning.pytorch import Trainer

from im2tex.data.datamodule import FormulaDataModule
from im2tex.training.callbacks.best_and_last_checkpoint import BestAndLastCheckpoint
from im2tex.training.callbacks.predictions import WritePredictions
from im2tex.training.callbacks.test_report import TestReport
from im2tex.training.module import Im2Tex

_GROUPS = {
    "model": Im2Tex,
    "data": FormulaDataModule,
    "trainer": Trainer,
    "checkpoint": BestAndLastCheckpoint,
    "report": TestReport,
    "predictions": WritePredictions,
}
_OTHERS = (
    "config",
    "ckpt_path",
    "ema",
    "return_predictions",
    "seed_everything",
    "stop_at_nan",
    "verbose",
    "weights_only",
)
_HEADER = '''"""Flags of `fit`, `validate`, `test` and `predict`, written by `flag_list.py`."""

FLAGS = frozenset(
    [
'''


def current_flags() -> list[str]:
    """The flags without dashes, in alphabetical order."""
    flags = [*_OTHERS]
    for group, cls in _GROUPS.items():
        flags += [f"{group}.{name}" for name in inspect.signature(cls).parameters]
    return sorted(flags)


def main() -> None:
    """Writes the file."""
    lines = [f'        "{flag}",\n' for flag in current_flags()]
    text = _HEADER + "".join(lines) + "    ]\n)\n"
    Path(__file__).with_name("flags.py").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
