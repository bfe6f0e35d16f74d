"""Two processes on the CPU: trained together, and measured as one process measures."""

import json
import os
import subprocess
import sys

import pytest
from tiny_run import TINY, changed, close, config, im2tex, lines, steps

SCRIPT = """
import sys
from im2tex.cli import main

two = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
splits = "[test, validation]"
if __name__ == "__main__":
    for command in (
        ["fit", "--config", "tiny.yaml", "--trainer.max_epochs", "1"],
        ["test", "--ckpt_path", "last", "--trainer.default_root_dir", "runs",
         "--data.test_splits", splits, "--report.folder", "two"],
        ["predict", "--ckpt_path", "last", "--trainer.default_root_dir", "runs",
         "--data.predict_splits", splits, "--predictions.folder", "two"],
    ):
        if main([*command, *two]):
            sys.exit(f"failed: {command[0]}")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fit, a test and a prediction by two processes."""
    folder = tmp_path_factory.mktemp("two")
    settings = changed(
        TINY,
        # Seven samples are not shared evenly, and one batch is not shared at all.
        data={
            "source_args": {"size_train": 24, "size_validation": 7, "size_test": 9},
            "augmentation": {},
            "swap_fraction": 0.5,
            "batch_size": 4,
            "eval_batch_factor": 4,
        },
        # Of all attentions the one whose training keeps something between batches.
        model={
            "encoder_args": TINY["model"]["encoder_args"] | {"coarse": True, "block": 2},
            "attention": "hard",
            "decoder_args": {"hidden_size": 16, "embedding_dim": 8, "symbol_loss": 1.0},
        },
        trainer={"limit_train_batches": 2},
    )
    config(folder, settings)
    (folder / "two.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "two.py"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def checkpoint(folder):
    return folder / "runs" / "version_0" / "checkpoints" / "last.ckpt"


def test_two_processes_fit_logs_steps_and_validation(folder):
    run = folder / "runs" / "version_0"
    assert steps(run, "train/loss").keys() == {0, 1}
    assert len(steps(run, "val/perplexity", "val/token_exact")) == 1


def test_two_processes_test_equals_single_process(folder, checkpoint):
    status = im2tex(
        *("test", "--ckpt_path", checkpoint, "--trainer.accelerator", "cpu"),
        *("--data.test_splits", "[test, validation]", "--report.folder", folder / "one"),
    )
    assert status == 0
    one, two = (
        json.loads((folder / name / "grammar" / "test.json").read_text(encoding="utf-8"))
        for name in ("one", "two")
    )
    assert one["data"] == two["data"]
    assert one["data"]["splits"] == {"test": 9, "validation": 7}
    for split in ("test", "validation"):
        assert close(one["metrics"][split], two["metrics"][split])
        name = f"grammar/test.{split}.samples.jsonl"
        records = lines(folder / "one" / name), lines(folder / "two" / name)
        for mine, other in zip(*records, strict=True):
            assert mine["score"] == pytest.approx(other["score"], rel=1e-4)
            assert {**mine, "score": 0} == {**other, "score": 0}


def test_two_processes_predict_writes_every_sample_in_order(folder):
    for split, count in (("test", 9), ("validation", 7)):
        found = [line["key"] for line in lines(folder / "two" / f"{split}.jsonl")]
        assert found == [f"{split}-{i:06d}" for i in range(count)]
