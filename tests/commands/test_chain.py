"""`im2tex chain`: several fits in a row, resumed after interruptions, and a test."""

import fcntl
import json
import shutil
import subprocess
import sys

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.commands import chain
from im2tex.model.checkpoint import read_checkpoint

EVERY = (
    *("--", "--seed_everything", "7", "--trainer.max_epochs", "1"),
    *("--model.beam_size", "2", "--report.engine", "none"),
)


@pytest.fixture(scope="module")
def configurations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    first = config(folder, TINY, "first.yaml")
    arguments = {**TINY["data"]["source_args"], "symbols": "x y + 1 2"}
    second = config(folder, changed(TINY, data={"source_args": arguments}), "second.yaml")
    return first, second


@pytest.fixture(scope="module")
def done(configurations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "both"
    first, second = configurations
    steps = (first, f"{second} --trainer.max_epochs 2")
    assert im2tex("chain", *steps, "--folder", folder, *EVERY) == 0
    return folder, steps


def checkpoint(place):
    (path,) = place.glob("**/checkpoints/last.ckpt")
    return read_checkpoint(path)


def test_chain_steps_have_own_settings_and_last_is_tested(done):
    folder, _ = done
    one, two = checkpoint(folder / "1-first"), checkpoint(folder / "2-second")
    assert one["epoch"] == 0
    assert two["epoch"] == 1  # its own flag, two epochs, overrides that of all steps
    assert one["datamodule_hyper_parameters"]["seed"] == 7
    assert two["datamodule_hyper_parameters"]["seed"] == 7
    result = json.loads((folder / "results" / "both.json").read_text())
    assert result["config"]["data"]["source_args"]["symbols"] == "x y + 1 2"
    assert [step.split()[0].rsplit("/", 1)[-1] for step in result["chain"]] == [
        "first.yaml",
        "second.yaml",
    ]
    assert all("--seed_everything 7" in step for step in result["chain"])


def test_chain_flags_after_dashes_hold_for_the_test(done):
    folder, _ = done
    result = json.loads((folder / "results" / "both.json").read_text())
    assert "beam_size=2" in result["signatures"]["beam"]
    assert "image_match" not in result["metrics"]["test"]


def test_chain_second_step_starts_from_weights_of_first(done, configurations, tmp_path):
    """With a learning rate of 0 it ends with the same weights."""
    folder, _ = done
    shutil.copytree(folder / "1-first", tmp_path / "out" / "1-first")
    first, second = configurations
    still = f"{second} --model.optimizer_args.lr 0"
    assert im2tex("chain", f"{first}", still, "--folder", tmp_path / "out") == 0
    one, two = (
        checkpoint(tmp_path / "out" / name)["state_dict"] for name in ("1-first", "2-second")
    )
    name = "encoder.row.embedding"
    weights = [key for key in one if key.endswith("weight_hh_l0")]
    assert weights, name
    for key in weights:
        assert one[key].equal(two[key])


def test_chain_repeated_skips_complete_steps(done, capfd):
    folder, steps = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.ckpt")}
    assert im2tex("chain", *steps, "--folder", folder, *EVERY) == 0
    printed = capfd.readouterr().out
    assert printed.count(": complete") == 3
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.ckpt")}


def test_chain_folder_of_another_chain_is_refused(done, configurations, capsys):
    folder, _ = done
    assert im2tex("chain", configurations[0], "--folder", folder) == 2
    assert "holds another chain" in capsys.readouterr().err


def test_chain_failed_step_ends_chain(configurations, tmp_path, capsys):
    wrong = f"{configurations[0]} --model.encoder nothing"
    assert im2tex("chain", wrong, "--folder", tmp_path / "out") == 2
    assert "`im2tex fit` ended with 2" in capsys.readouterr().err
    assert im2tex("chain", "none.yaml", "--folder", tmp_path / "out") == 2
    assert "there is no configuration none.yaml" in capsys.readouterr().err
    assert im2tex("chain", f"{configurations[0]} 'half", "--folder", tmp_path / "out") == 2
    assert "quotes do not match (No closing quotation)" in capsys.readouterr().err


@pytest.fixture
def begun(done, tmp_path):
    """A copy of the first step of a finished chain, and the command of a chain of it alone."""
    folder, (first, _) = done
    out = tmp_path / "out"
    shutil.copytree(folder / "1-first", out / "1-first")
    (last,) = out.glob("**/checkpoints/last.ckpt")
    return out, last, ("chain", first, "--folder", out, *EVERY)


def rewritten(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_chain_step_marked_done_with_stopped_fit_is_resumed(begun, capfd):
    out, last, command = begun
    rewritten(last, lambda content: content.update(fit_ended=False))
    assert im2tex(*command) == 2  # its only epoch is over: nothing is left to train
    assert "its last.ckpt is short of the end" in capfd.readouterr().err
    assert not (out / "1-first" / "done").exists()


def test_chain_concurrent_chain_in_folder_is_refused(begun, capsys):
    out, _, command = begun
    assert im2tex(*command) == 0
    with (out / "chain.txt").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert im2tex(*command) == 2
    assert "another process of `im2tex chain` is at work" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (143, "was stopped by SIGTERM", 143),
        (-15, "was stopped by SIGTERM", 143),
        (130, "was stopped by SIGINT", 130),
        (-9, "was killed by SIGKILL (out of memory?)", 2),
    ],
)
def test_chain_stopped_or_killed_step_is_reported(
    status, words, expected, begun, capsys, monkeypatch
):
    out, last, command = begun
    last.unlink()
    (out / "1-first" / "done").unlink()
    script = (
        f"import os, sys; os.kill(os.getpid(), {-status}) if {status} < 0 else sys.exit({status})"
    )
    popen = subprocess.Popen
    monkeypatch.setattr(chain.subprocess, "Popen", lambda _: popen([sys.executable, "-c", script]))
    assert im2tex(*command) == expected
    assert words in capsys.readouterr().err
    assert not (out / "1-first" / "done").exists()
