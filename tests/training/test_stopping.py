"""Signals: the status that a command ends with, and a fit that goes on as if nothing had been."""

import os
import signal
import subprocess
import sys
import time

import pytest
from test_resume import VARIED, same
from tiny_run import TINY, changed, config, im2tex

from im2tex.model.checkpoint import read_checkpoint
from im2tex.utils.stopping import STOP_REQUEST

WAYS = {
    "in an epoch": ("signals.SignalAt", {"step": 2}, 2, []),
    "at the end of an epoch": ("signals.SignalAt", {"step": 4}, 4, []),
    "in a validation": ("signals.SignalInValidation", {}, 4, []),
    "in a validation within an epoch": (
        *("signals.SignalInValidation", {}, 2),
        ["--trainer.val_check_interval", "0.5"],
    ),
    "between the batches of a step": (
        *("signals.SignalAt", {"step": 1}, 1),
        ["--trainer.accumulate_grad_batches", "2"],
    ),
}


def with_callback(folder, settings, path, arguments, name="signal.yaml"):
    callbacks = [{"class_path": path, "init_args": arguments}]
    return config(folder, changed(settings, trainer={"callbacks": callbacks}), name)


@pytest.mark.parametrize("way", WAYS)
def test_stopped_fit_resumes_exactly(way, tmp_path, capsys):
    path, arguments, step, flags = WAYS[way]
    stopped = with_callback(tmp_path, VARIED, path, arguments)
    plain = config(tmp_path, VARIED)
    more = ["--trainer.max_epochs", "2", "--data.num_workers", "0", *flags]
    assert im2tex("fit", "--config", stopped, *more) == 143
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == (
        f"im2tex: stopped by SIGTERM at step {step}: resume with the same command and "
        f"--ckpt_path {last}"
    )
    content = read_checkpoint(last)
    assert content["global_step"] == step
    assert not content["fit_ended"]
    assert im2tex("fit", "--config", plain, *more, "--ckpt_path", "last") == 0
    assert im2tex("fit", "--config", plain, *more) == 0
    same(tmp_path / "runs" / "version_1", tmp_path / "runs" / "version_2", step)


def test_stop_by_ctrl_c_writes_checkpoint(tmp_path, capsys, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        path = with_callback(tmp_path, TINY, "signals.SignalAt", {"step": 3, "name": "SIGINT"})
        assert im2tex("fit", "--config", path) == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "stopped by SIGINT at step 3: resume with" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")["global_step"] == 3


@pytest.mark.parametrize("command", ["test", "predict"])
def test_stopped_test_advises_to_repeat(command, checkpoint, tmp_path, capsys):
    flags = ("--trainer.callbacks+=signals.SignalInTest", "--trainer.default_root_dir", tmp_path)
    assert im2tex(command, "--ckpt_path", checkpoint, *flags) == 143
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == "im2tex: stopped by SIGTERM before its end: repeat the same command."


def test_stop_in_last_step_ends_fit_as_usual(tmp_path):
    path = with_callback(tmp_path, TINY, "signals.SignalAt", {"step": 5})
    assert im2tex("fit", "--config", path) == 0
    assert read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")["fit_ended"]


@pytest.mark.parametrize(
    ("flags", "ended"),
    [
        (["--trainer.max_epochs", "2"], True),
        (["--trainer.max_epochs", "-1", "--trainer.max_steps", "3"], True),
        (["--trainer.max_epochs", "9", "--trainer.callbacks+=signals.StopEarly"], True),
    ],
)
def test_last_checkpoint_records_end_of_fit(flags, ended, tmp_path):
    assert im2tex("fit", "--config", config(tmp_path, TINY), *flags) == 0
    content = read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")
    assert content["fit_ended"] is ended


def test_signal_handlers_are_restored(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    path = with_callback(tmp_path, TINY, "signals.SignalAt", {"step": 2})
    assert im2tex("fit", "--config", path) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    assert not STOP_REQUEST.listens


def waiting(process, file):
    """Waits until a process has come to where it waits for a signal."""
    until = time.monotonic() + 200
    while process.poll() is None and not file.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[1]


def started(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "im2tex", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork"])
def test_stop_of_two_processes_is_common(strategy, tmp_path):
    file = tmp_path / "waiting"
    settings = changed(TINY, trainer={"max_epochs": 3000, "devices": 2, "strategy": strategy})
    path = with_callback(tmp_path, settings, "signals.Wait", {"file": str(file)})
    process = started(tmp_path, "fit", "--config", path)
    try:
        waiting(process, file)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 143, said
    assert said.count("im2tex: stopped by SIGTERM at step") == 1
    assert read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")["global_step"] >= 3


def test_stopped_chain_passes_signal_on(tmp_path):
    file = tmp_path / "waiting"
    settings = changed(TINY, trainer={"max_epochs": 3000})
    path = with_callback(tmp_path, settings, "signals.Wait", {"file": str(file)})
    process = started(tmp_path, "chain", path, "--folder", tmp_path / "out")
    try:
        waiting(process, file)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 143, said
    assert "`im2tex fit` was stopped by SIGTERM; repeat the same command" in said
    step = tmp_path / "out" / "1-signal"
    assert not (step / "done").exists()
    assert list(step.glob("**/last.ckpt"))
    assert not (tmp_path / "out" / "results").exists()
