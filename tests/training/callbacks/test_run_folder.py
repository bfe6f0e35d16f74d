"""A folder for each run, by all processes of it together."""

import json
import multiprocessing
import os
import subprocess
import sys

import pytest
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from tiny_run import TINY, changed, config, im2tex

from im2tex.training.callbacks.run_folder import reserve_version_folder


def logger(folder, name=""):
    made = CSVLogger(folder, name=name)
    reserve_version_folder(made)
    return made


def takes(folder, name, barrier, queue):
    one = logger(folder, name)
    barrier.wait(60)
    queue.put(one.version)


@pytest.mark.parametrize("name", ["", "logs"])
def test_run_folder_concurrent_runs_differ(name, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(8), context.Queue()
    arguments = (tmp_path / "runs", name, barrier, queue)
    processes = [context.Process(target=takes, args=arguments) for _ in range(8)]
    for process in processes:
        process.start()
    versions = sorted(queue.get(timeout=100) for _ in processes)
    for process in processes:
        process.join()
    assert versions == list(range(8))


def test_run_folder_version_is_reserved_when_requested(tmp_path):
    one = logger(tmp_path)
    assert os.listdir(tmp_path) == []
    assert (one.version, one.version) == (0, 0)
    assert os.listdir(tmp_path) == ["version_0"]
    assert logger(tmp_path).version == 1


def test_run_folder_other_process_creates_none(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
    _ = logger(tmp_path).version
    assert os.listdir(tmp_path) == []


def test_run_folder_given_version_is_kept(tmp_path):
    (tmp_path / "mine").mkdir()
    one = CSVLogger(tmp_path, name="", version="mine")
    reserve_version_folder(one)
    assert one.version == "mine"


def test_run_folder_concurrent_fits_share_nothing(tmp_path):
    settings = changed(TINY, trainer={"max_epochs": 2})
    assert im2tex("fit", "--config", config(tmp_path, settings), "--trainer.max_epochs", "1") == 0
    command = [sys.executable, "-m", "im2tex", "fit", "--config", str(tmp_path / "tiny.yaml")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=250)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    folders = {text.rsplit("best checkpoint: ", 1)[1].strip() for text in said}
    runs = tmp_path / "runs"
    assert folders == {str(runs / f"version_{k}" / "checkpoints" / "best.ckpt") for k in (1, 2)}
    for k in (1, 2):
        rows = (runs / f"version_{k}" / "metrics.csv").read_text().splitlines()
        assert sum(",9," in f",{row}," for row in rows) <= 2  # a step's training and validation


def test_run_folder_two_tests_have_a_result_each(checkpoint, tmp_path):
    flags = ("--ckpt_path", checkpoint, "--trainer.default_root_dir", tmp_path)
    for _ in range(2):
        assert im2tex("test", *flags, "--report.engine", "none") == 0
    found = sorted(path.parent.name for path in tmp_path.glob("*/test.json"))
    assert found == ["version_0", "version_1"]
    assert json.loads((tmp_path / "version_1" / "test.json").read_text())["metrics"]
