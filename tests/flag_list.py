"""Writes `flags.txt`, the flags that LightningCLI makes of signatures.

python tests/flag_list.py
"""

from __future__ import annotations

from inspect import signature

from lightning.pytorch import Trainer

from im2tex.commands.trainer.early_checks import FLAGS_FILE
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


def current_flags() -> list[str]:
    """The flags without dashes, in alphabetical order."""
    names = (
        f"{group}.{name}" for group, cls in _GROUPS.items() for name in signature(cls).parameters
    )
    return sorted([*_OTHERS, *names])


def main() -> None:
    """Writes the file."""
    FLAGS_FILE.write_text("".join(f"{flag}\n" for flag in current_flags()), encoding="utf-8")


if __name__ == "__main__":
    main()
