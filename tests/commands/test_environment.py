"""One-line errors for wrong variables of SLURM and torchrun, and for killed processes."""

import pytest
from tiny_run import TINY, changed, config, im2tex

from im2tex.commands.trainer.environment import check_launcher_variables, check_world_size
from im2tex.commands.trainer.error_messages import explain_worker_error

SLURM = {"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SLURM_NTASKS": "2"}, "SLURM_NTASKS is set without SLURM_PROCID"),
        ({"SLURM_NTASKS": "1"}, "env -u SLURM_NTASKS im2tex"),
        (SLURM, "--ntasks-per-node"),
        (SLURM | {"SLURM_NTASKS_PER_NODE": "2"}, "SLURM started 2 processes, but the trainer"),
        (SLURM | {"SLURM_NTASKS": "two"}, "SLURM_NTASKS must be a number, got 'two'"),
        (SLURM | {"SLURM_NTASKS_PER_NODE": "2(x2)"}, "SLURM_NTASKS_PER_NODE must be a number"),
        (
            {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
            "torchrun started 2 processes, but the trainer works with 1",
        ),
    ],
)
def test_fit_wrong_launcher_variables_is_one_line(variables, words, tmp_path, capsys, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = changed(TINY, trainer={"devices": 1})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "im2tex: error" in line]
    assert len(said) == 1
    assert words in said[0]
    assert not (tmp_path / "runs").exists()


def test_launcher_variables_that_fit_are_accepted(monkeypatch):
    check_launcher_variables()
    check_world_size(1)
    for name, value in (SLURM | {"SLURM_NTASKS_PER_NODE": "2"}).items():
        monkeypatch.setenv(name, value)
    check_launcher_variables()
    check_world_size(2)
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")  # Lightning ignores SLURM in such a job
    monkeypatch.delenv("SLURM_PROCID")
    check_launcher_variables()
    check_world_size(1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "killed by signal Killed,"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "killed from outside"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is ...", "Bus error"),
        ("... insufficient shared memory (shm) ...", "--shm-size"),
        ("x\nim2tex.errors.Im2TexError: no room\n", "no room"),
    ],
)
def test_explain_worker_error_is_one_line(text, words):
    told = explain_worker_error(RuntimeError(text))
    assert words in str(told)
    assert "\n" not in str(told)


def test_fit_killed_data_loader_is_one_line(tmp_path, capsys):
    callbacks = [{"class_path": "signals.KillLoader", "init_args": {}}]
    settings = changed(TINY, trainer={"callbacks": callbacks, "max_epochs": 50})
    path = config(tmp_path, changed(settings, data={"num_workers": 1}))
    assert im2tex("fit", "--config", path) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("im2tex: error: a process that loads data was killed")
    assert "--data.num_workers" in said
    assert "--ckpt_path" in said
