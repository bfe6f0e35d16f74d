"""A run's configuration and images lie in its own folder, whichever logger it has."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers_callbacks import Small, batches, small_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from PIL import Image

from im2tex.training.callbacks import SaveRunConfig, ValidationImages, run_folder


def command(folder: Path, logger: dict, *flags: str) -> LightningCLI:
    """Runs `fit` as a command would."""
    return LightningCLI(
        Small,
        save_config_callback=SaveRunConfig,
        trainer_defaults={
            "accelerator": "cpu",
            "max_epochs": 1,
            "default_root_dir": str(folder),
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [ValidationImages(limit=2)],
            "logger": logger,
        },
        args=list(flags),
        run=False,
    )


def fit(cli: LightningCLI, ckpt_path=None) -> Path:
    cli.trainer.fit(cli.model, batches(3), batches(1), ckpt_path=ckpt_path)
    folder = run_folder(cli.trainer)
    assert folder is not None
    return folder


def csv(folder: Path, version=None) -> dict:
    arguments = {"save_dir": str(folder), "name": "logs", "version": version}
    return {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": arguments}


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_run_files_are_in_one_folder(tmp_path):
    folder = fit(command(tmp_path, csv(tmp_path), "--model.width=2"))
    assert folder == tmp_path / "logs" / "version_0"
    assert {"config.yaml", "metrics.csv", "images/step-0000003.png"} <= files(folder)
    assert any(name.startswith("checkpoints/") for name in files(folder))
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"] == {"width": 2}
    with Image.open(folder / "images" / "step-0000003.png") as sheet:
        one_more = 160  # about an example's height: two are shown, of three
        assert sheet.height < 2 * one_more + 100


def test_run_config_second_run_overwrites_nothing(tmp_path):
    for width, names in (
        (2, {"config.yaml"}),
        (2, {"config.yaml"}),  # the same again, as when resumed
        (3, {"config.yaml", "config-2.yaml"}),
        (2, {"config.yaml", "config-2.yaml", "config-3.yaml"}),
    ):
        folder = fit(command(tmp_path, csv(tmp_path, "mine"), f"--model.width={width}"))
        assert {name for name in files(folder) if name.endswith(".yaml")} - {
            "hparams.yaml"
        } == names
    widths = [
        yaml.safe_load((folder / f"config{n}.yaml").read_text())["model"]["width"]
        for n in ("", "-2", "-3")
    ]
    assert widths == [2, 3, 2]


def test_run_without_logger_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = small_trainer(tmp_path, ValidationImages())
    trainer.fit(Small(), batches(1), batches(1))
    assert run_folder(trainer) is None
    assert files(tmp_path) == set()


def test_run_folder_is_parent_of_checkpoints(tmp_path):
    for logger in (CSVLogger(tmp_path, "a", version="b"), CSVLogger(tmp_path, name="")):
        checkpoints = ModelCheckpoint()
        trainer = small_trainer(tmp_path, checkpoints, enable_checkpointing=True, logger=logger)
        trainer.fit(Small(), batches(1), batches(1))
        assert Path(checkpoints.dirpath).parent == run_folder(trainer)


def test_run_config_unwritable_warns(tmp_path):
    """Here for a folder of its name; nobody, not even root, writes over one."""
    (tmp_path / "logs" / "x" / "config.yaml").mkdir(parents=True)
    with pytest.warns(UserWarning, match="not saved"):
        folder = fit(command(tmp_path, csv(tmp_path, "x")))
    assert "metrics.csv" in files(folder), "the fit went on"


def test_validation_images_without_examples_writes_nothing(tmp_path):
    for examples in ([], None):
        module = Small()
        module.validation_examples = examples
        logger = CSVLogger(tmp_path, "logs", version="x")
        trainer = small_trainer(tmp_path, ValidationImages(), logger=logger)
        trainer.fit(module, batches(1), batches(1))
    assert not (tmp_path / "logs" / "x" / "images").exists()
    with pytest.raises(ValueError, match="limit must be >= 1, got 0"):
        ValidationImages(0)


def test_wandb_runs_have_a_folder_each(tmp_path, monkeypatch):
    """The second trial of a sweep, which LightningCLI's own callback stops."""
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = {
        "class_path": "lightning.pytorch.loggers.WandbLogger",
        "init_args": {"save_dir": str(tmp_path), "project": "p", "offline": True},
    }
    folders = []
    for width in (2, 3):
        cli = command(tmp_path, logger, f"--model.width={width}")
        assert isinstance(cli.trainer.logger, WandbLogger)
        folders.append(fit(cli))
        assert cli.trainer.logger.experiment.config["model"] == {"width": width}
        assert np.isfinite(cli.trainer.logger.experiment.summary["val/perplexity"])
        assert "val/images" in dict(cli.trainer.logger.experiment.summary)
        wandb.finish()
    assert len(set(folders)) == 2
    for folder, width in zip(folders, (2, 3), strict=True):
        assert folder.parent == tmp_path / "p"
        assert yaml.safe_load((folder / "config.yaml").read_text())["model"] == {"width": width}
        assert {"config.yaml", "images/step-0000003.png"} <= files(folder)
        assert (folder / "checkpoints").is_dir()
