"""A fit of hard attention goes on exactly: samples, baseline, and the average of weights."""

import pytest
import torch
from test_resume import same
from tiny_run import TINY, changed, config, im2tex

from im2tex.training.checkpoint_io import AtomicCheckpointIO

SETTINGS = changed(
    TINY,
    trainer={"max_epochs": 2},
    data={"source_args": {"size_train": 24, "size_validation": 8, "size_test": 8}},
    model={
        "encoder_args": TINY["model"]["encoder_args"] | {"coarse": True, "block": 2},
        "attention": "hard",
        "attention_args": {"samples": 2, "entropy": 0.01, "baseline_rate": 0.1},
        "num_validation_examples": 0,
    },
)


@pytest.mark.parametrize("average", [[], ["--ema", "0.9"]], ids=["plain", "average"])
def test_resume_of_reinforce_is_exact(average, monkeypatch, tmp_path):
    kept = {}
    save = AtomicCheckpointIO.save_checkpoint

    def keep(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path)
        kept[checkpoint["global_step"]] = tmp_path / f"kept-{checkpoint['global_step']}.ckpt"
        save(self, checkpoint, kept[checkpoint["global_step"]])

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", keep)
    path = config(tmp_path, SETTINGS)
    given = ["fit", "--config", path, *average, "--checkpoint.every_n_train_steps", "1"]
    assert im2tex(*given) == 0
    within = min(kept)
    content = torch.load(kept[within], weights_only=True)
    weights = content.get("current_model_state", content["state_dict"])
    assert (weights["recognizer.decoder.reinforce.baseline"][:3] < 0).all()
    assert im2tex(*given, "--ckpt_path", kept[within]) == 0
    same(tmp_path / "runs/version_1", tmp_path / "runs/version_0", within)
