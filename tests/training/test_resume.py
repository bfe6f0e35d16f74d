"""A fit that was interrupted goes on exactly as if it had not been.

Everything random is on: augmentation, exchanged symbols, crops, dropout, loader processes.
"""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex, steps

from im2tex.training.checkpoint_io import AtomicCheckpointIO

VARIED = changed(
    TINY,
    trainer={"max_epochs": 3},
    data={
        "source_args": {"size_train": 24, "size_validation": 8, "size_test": 8},
        "num_workers": 1,
        "augmentation": {},
        "swap_fraction": 0.5,
        "subformula_crop_prob": 0.3,
    },
    model={
        "decoder_args": {"hidden_size": 16, "embedding_dim": 8, "dropout": 0.2},
        "num_validation_examples": 0,
    },
)
RECIPES = {
    "cosine": [],
    "average of the weights": ["--ema", "0.9", "--data.num_workers", "2"],
    # A rate so high that the perplexity jumps, and the schedule with it; validation within epochs.
    "plateau": [
        *("--model.optimizer", "sgd", "--model.optimizer_args.lr", "30"),
        *("--model.schedule", "plateau", "--trainer.val_check_interval", "0.4", "--ema", "0.5"),
    ],
    "accumulated": ["--trainer.accumulate_grad_batches", "2", "--trainer.limit_train_batches", "5"],
}
LOGGED = ("train/loss", "train/grad_norm")


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Copies of every checkpoint that ever lay on the disk, in order."""
    found = []
    save = AtomicCheckpointIO.save_checkpoint

    def keep(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path)
        found.append(tmp_path / f"kept-{len(found):02d}.ckpt")
        save(self, checkpoint, found[-1])

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", keep)
    return found


def final(run):
    """All weights at the end of a run: the model's, and those in training beside an average."""
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    training = content.get("current_model_state", {})
    rates = [group["lr"] for group in content["optimizer_states"][0]["param_groups"]]
    weights = content["state_dict"] | {f"training.{name}": w for name, w in training.items()}
    return weights, rates


def same(run, whole, start):
    """Whether a run resumed at a step ends as the whole one did, by the same way."""
    for names in (LOGGED, ("val/perplexity",)):
        expected = {k: v for k, v in steps(whole, *names).items() if k >= start}
        found = steps(run, *names)
        assert {k: v for k, v in found.items() if k >= start} == expected
        assert expected.keys() >= found.keys() - {start - 1}
    weights, rates = final(run)
    expected, expected_rates = final(whole)
    assert rates == expected_rates
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(weights[name], value), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_resume_from_any_checkpoint_is_exact(recipe, kept, tmp_path):
    path = config(tmp_path, VARIED)
    given = ["fit", "--config", path, *RECIPES[recipe], "--checkpoint.every_n_train_steps", "1"]
    runs = tmp_path / "runs"
    epochs = 3 if recipe == "cosine" else 2
    given += ["--trainer.max_epochs", epochs]
    assert im2tex(*given) == 0
    checkpoints = {torch.load(file, weights_only=True)["global_step"]: file for file in kept}
    last = max(checkpoints)
    ends = {last * epoch // epochs for epoch in range(1, epochs + 1)}
    assert ends <= checkpoints.keys()
    within = [step for step in sorted(checkpoints) if step not in ends]
    # In the first epoch, at its end, and in the last.
    chosen = [within[0], min(ends), within[-1]]
    for number, step in enumerate(chosen, 1):
        assert im2tex(*given, "--ckpt_path", checkpoints[step]) == 0
        same(runs / f"version_{number}", runs / "version_0", step)


def test_resume_from_best_checkpoint_is_exact(kept, tmp_path):
    path = config(tmp_path, VARIED)
    assert im2tex("fit", "--config", path) == 0
    first = kept[0]  # written between the first epoch's validation and its end
    content = torch.load(first, weights_only=True)
    assert content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] == 0
    assert im2tex("fit", "--config", path, "--ckpt_path", first) == 0
    same(tmp_path / "runs/version_1", tmp_path / "runs/version_0", content["global_step"])


def test_resume_after_kill_within_epoch_is_exact(tmp_path):
    path = config(tmp_path, VARIED)
    runs = tmp_path / "runs"
    given = ["fit", "--config", path, "--checkpoint.every_n_train_steps", "2"]
    last = runs / "version_0" / "checkpoints" / "last.ckpt"
    # It waits for its end in the second epoch, so that it cannot finish before.
    slow = "--trainer.callbacks+=slow.Slow"
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "im2tex", *map(str, given), slow],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not (tmp_path / "waiting").exists():
            time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
        os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    content = torch.load(last, weights_only=True)
    step = content["global_step"]
    assert step == 6  # of four an epoch
    assert im2tex(*given, "--ckpt_path", "last") == 0
    assert im2tex(*given) == 0
    same(runs / "version_1", runs / "version_2", step)


SLOW = """
import time
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Slow(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.current_epoch == 1 and batch_idx == 3:
            Path(__file__).with_name("waiting").touch()
            time.sleep(600)
"""
