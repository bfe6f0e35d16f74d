"""A fit that no longer has a finite loss ends, and its last good checkpoint stays."""

import os
import subprocess
import sys

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.model.checkpoint import read_checkpoint


def broken(folder, trainer, **arguments):
    """A configuration in which a weight is broken before a step."""
    callbacks = [{"class_path": "signals.BreakAt", "init_args": arguments}]
    return config(folder, changed(TINY, trainer=trainer | {"callbacks": callbacks}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("ema", ["0", "0.9"])
def test_stop_at_nan_loss_ends_fit_within_epoch(value, ema, tmp_path, capsys):
    trainer = {"max_epochs": 5, "log_every_n_steps": 50}  # 5 steps an epoch
    path = broken(tmp_path, trainer, step=8, value=value)
    assert im2tex("fit", "--config", path, "--ema", ema) == 1
    said = capsys.readouterr()
    line = said.err.strip().splitlines()[-1]
    run = tmp_path / "runs" / "version_0"
    last = run / "checkpoints" / "last.ckpt"
    assert line.startswith("im2tex: error: the loss at step 8 is NaN or infinite (learning rate ")
    assert f"--model.init_from {last}" in line
    assert "--stop_at_nan false" in line
    assert "epoch 1" not in said.out
    for name in ("last", "best"):  # of the epoch before
        content = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert content["global_step"] == 5
        assert all(bool(torch.isfinite(one).all()) for one in content["state_dict"].values())


def test_stop_at_nan_checks_at_logging_interval(tmp_path, capsys):
    path = broken(tmp_path, {"log_every_n_steps": 2}, step=2)
    assert im2tex("fit", "--config", path) == 1
    assert "the loss at step 2 is NaN" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.ckpt"))


def test_stop_at_nan_weights_of_last_step_are_not_written(tmp_path, capsys, monkeypatch):
    """Its own loss was finite."""
    from im2tex.training.module import Im2Tex

    def breaks(model, *rest):
        if model.trainer.global_step == 10:
            with torch.no_grad():
                next(model.parameters()).view(-1)[0] = float("nan")

    monkeypatch.setattr(Im2Tex, "on_train_batch_end", breaks)
    path = config(tmp_path, changed(TINY, trainer={"max_epochs": 2, "limit_val_batches": 0}))
    assert im2tex("fit", "--config", path) == 1
    assert "weight recognizer.encoder" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")["global_step"] == 5


def test_stop_at_nan_false_continues(tmp_path, capsys):
    path = broken(tmp_path, {"max_epochs": 2}, step=3)
    assert im2tex("fit", "--config", path, "--stop_at_nan", "false") == 0
    assert "epoch 1" in capsys.readouterr().out


def test_stop_at_nan_finite_loss_does_not_synchronise(monkeypatch):
    from im2tex.training.callbacks.stop_at_nan import StopAtNaN

    class Model:
        device = torch.device("cpu")

    class Run:
        global_step = 0
        log_every_n_steps = 50

        class optimizer:
            param_groups = ({"lr": 0.1},)

        optimizers = (optimizer,)

    callback = StopAtNaN()
    callback.on_train_start(Run, Model)
    loss = torch.tensor(float("nan"))
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda _: pytest.fail("waits for the device"))
    monkeypatch.setattr(torch.Tensor, "item", lambda _: pytest.fail("waits for the device"))
    for step in range(20):
        Run.global_step = step
        callback.on_train_batch_start(Run, Model, None, step)
        callback.on_train_batch_end(Run, Model, {"loss": loss}, None, step)


def test_stop_at_nan_two_processes_end_together(tmp_path):
    trainer = {"max_epochs": 50, "devices": 2, "strategy": "ddp"}
    path = broken(tmp_path, trainer, step=5, rank=1)
    done = subprocess.run(
        [sys.executable, "-m", "im2tex", "fit", "--config", str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert "is NaN or infinite" in done.stderr
    assert read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")["global_step"] == 3
