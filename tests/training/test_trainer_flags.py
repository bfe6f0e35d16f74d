"""Lightning's flags that switch off or replace what every run of ours has."""

import pytest
from tiny_run import TINY, config, im2tex


@pytest.mark.parametrize(
    ("flag", "checkpoints"),
    [
        ("--trainer.enable_progress_bar=false", {"best.ckpt", "last.ckpt"}),
        ("--trainer.callbacks+=RichProgressBar", {"best.ckpt", "last.ckpt"}),
        ("--trainer.logger=false", {"best.ckpt", "last.ckpt"}),
        ("--trainer.enable_checkpointing=false", set()),
    ],
)
def test_fit_with_trainer_flags_runs(flag, checkpoints, tmp_path, capsys):
    few = "--trainer.limit_train_batches=2"
    assert im2tex("fit", "--config", config(tmp_path, TINY), few, flag) == 0
    assert "epoch 0" in capsys.readouterr().out
    assert {path.name for path in tmp_path.rglob("*.ckpt")} == checkpoints
