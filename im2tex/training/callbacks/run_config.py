"""Saves a run's configuration where the run's other files are, and with W&B in its config."""

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


class SaveRunConfig(SaveConfigCallback):
    """Saves `config.yaml` into the run's own folder (see `run_folder`).

    LightningCLI's own callback saves into `trainer.log_dir`, which all W&B runs share, and stops
    the second run that finds a file there: the second trial of a sweep, or a run resumed in its
    folder. Here nothing is overwritten and nothing stops: a configuration that differs from the
    one before it goes into `config-2.yaml`, and so on.

    Args:
        parser: LightningCLI's parser.
        config: the run's configuration.
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
        """Saves, once a run. A file that cannot be written is a warning, not an end."""
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
                # A resumed run has these values already, and may change them; a sweep has set and
                # locked those of its parameters that are names here, and would warn of each.
                known = logger.experiment.config
                new = {k: v for k, v in yaml.safe_load(text).items() if known.get(k) != v}
                known.update(new, allow_val_change=True)
        if folder is not None:
            try:
                _save(folder, self.config_filename, text)
            except OSError as error:
                warnings.warn(
                    f"the configuration is not saved in {folder}: {error.strerror or error}.",
                    stacklevel=2,
                )

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Not used: `setup` does it all."""


def _save(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    last: Path | None = None
    number = 1
    while path.exists():
        last = path
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    if last is not None and last.read_text(encoding="utf-8") == text:
        return last
    path.write_text(text, encoding="utf-8")
    return path
