"""The data module of a trainer."""

from __future__ import annotations

from lightning.pytorch import Trainer

from im2tex.data.datamodule import FormulaDataModule
from im2tex.errors import Im2TexError


def formula_data(trainer: Trainer) -> FormulaDataModule:
    """The trainer's data module.

    Raises:
        Im2TexError: if it is no `FormulaDataModule`.
    """
    datamodule = getattr(trainer, "datamodule", None)
    if not isinstance(datamodule, FormulaDataModule):
        raise Im2TexError(
            f"the trainer needs a FormulaDataModule, got {type(datamodule).__name__}: pass one as "
            "`datamodule`."
        )
    return datamodule
