"""Saves the configuration of a run in its folder, and in the config of a W&B run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import WandbLogger

from im2tex.data.datamodule import FormulaDataModule
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.utils.files import error_reason


class SaveRunConfig(SaveConfigCallback):
    """Saves `config.yaml` in the run's folder (see `run_folder`).

    LightningCLI's own callback saves it in `trainer.log_dir`, which all W&B runs share, and raises
    if the file exists, as in the second trial of a sweep or in a resumed run. Here a configuration
    that differs from the saved one is saved as `config-2.yaml`, and so on.

    Args:
        parser: LightningCLI's parser.
        config: configuration of the run.
        config_filename: name of the file.
    """

    def __init__(
        self,
        parser: LightningArgumentParser,
        config: Any,
        config_filename: str = "config.yaml",
        **_: Any,
    ) -> None:
        super().__init__(parser, config, config_filename=config_filename, save_to_log_dir=False)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Saves the configuration once; a file that cannot be written is a warning."""
        if self.already_saved:
            return
        self.already_saved = True
        folder = run_folder(trainer)
        if not trainer.is_global_zero:
            return
        config = self.config.clone()
        data = getattr(trainer, "datamodule", None)
        if isinstance(data, FormulaDataModule):
            config["data.source_args"] = data.hparams["source_args"]  # with absolute paths
        text = self.parser.dump(config, skip_none=False)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                # Values that a sweep has set are locked, and W&B warns of each change to them.
                known = logger.experiment.config
                new = {k: v for k, v in yaml.safe_load(text).items() if known.get(k) != v}
                known.update(new, allow_val_change=True)
        if folder is not None:
            try:
                _save(folder, Path(self.config_filename), text)
            except OSError as error:
                warnings.warn(
                    f"the configuration is not saved in {folder}: {error_reason(error)}.",
                    stacklevel=2,
                )

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Does nothing; `setup` saves the configuration."""


def _save(folder: Path, name: Path, text: str) -> None:
    """Saves the text under the first free name, unless the last file has the same text."""
    folder.mkdir(parents=True, exist_ok=True)
    path, last, number = folder / name, None, 1
    while path.exists():
        number += 1
        path, last = folder / f"{name.stem}-{number}{name.suffix}", path
    if last is None or last.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
