"""Runs logged to Weights & Biases, read back from the files that its client writes offline."""

import json
import shlex
import struct
from pathlib import Path

import pytest
import wandb
import yaml
from test_docs import ROOT, blocks
from tiny_run import TINY, changed, config, im2tex
from wandb.proto.wandb_internal_pb2 import Record

from im2tex.model.checkpoint import read_checkpoint

LOGGED = ("--trainer.logger", "WandbLogger", "--trainer.logger.project", "p")


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb.teardown()  # which reads the environment once
    yield
    wandb.teardown()


def records(path):
    """The records of a `.wandb` file, a log in the format of LevelDB."""
    data = path.read_bytes()
    at, whole = 7, b""  # after the header of the file
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the rest of a block is too short for another head
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        part = data[at + 7 : at + 7 + size]
        at += 7 + size
        whole = part if kind in (1, 2) else whole + part
        if kind in (1, 4):
            yield Record.FromString(whole)


class Logged:
    """What an offline run holds: its id, configuration, rows and exit status."""

    def __init__(self, path):
        self.config, self.rows, self.status = {}, [], None
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.id = record.run.run_id
                self.sweep = record.run.sweep_id
            if kind in ("run", "config"):
                update = record.config if kind == "config" else record.run.config
                self.config |= {one.key: json.loads(one.value_json) for one in update.update}
            elif kind == "history":
                names = (one.key or one.nested_key[0] for one in record.history.item)
                values = (json.loads(one.value_json) for one in record.history.item)
                self.rows.append(dict(zip(names, values, strict=True)))
            elif kind == "exit":
                self.status = record.exit.exit_code

    def column(self, name):
        return [row[name] for row in self.rows if name in row]


def runs(folder):
    """The offline runs below a folder, the oldest first."""
    if wandb.run is None:
        wandb.teardown()  # its process has written all of it when it has ended
    files = Path(folder).glob("**/offline-run-*/*.wandb")
    return [Logged(path) for path in sorted(files, key=lambda path: path.stat().st_mtime)]


def test_wandb_run_has_logs_and_continues_by_id(tmp_path):
    path = config(tmp_path, changed(TINY, trainer={"max_epochs": 2}))
    looks = ("--trainer.callbacks+=AttentionImages", "--trainer.callbacks.count=1")
    assert im2tex("fit", "--config", path, *LOGGED, *looks) == 0
    (first,) = runs(tmp_path / "runs" / "wandb")
    assert first.status == 0
    assert first.config["model"]["decoder_args"]["hidden_size"] == 16
    assert first.config["data"]["source"] == "grammar"
    assert first.config["seed_everything"] == 0
    assert len(first.column("train/loss")) == len(first.column("train/lr")) == 10
    assert len(set(first.column("train/lr"))) > 5, "a cosine does not stand still"
    for once_a_validation in ("val/perplexity", "val/token_exact", "val/images", "val/attention"):
        assert len(first.column(once_a_validation)) == 2, once_a_validation

    # The run's own files lie together, and `last` finds them.
    own = tmp_path / "runs" / "p" / first.id
    left = {path.name for path in own.iterdir()}
    assert left >= {"checkpoints", "config.yaml", "images", "attention"}
    again = ("--ckpt_path", "last", "--trainer.max_epochs", "3", "--trainer.logger.id", first.id)
    assert im2tex("fit", "--config", path, *LOGGED, *again) == 0
    second = runs(tmp_path / "runs" / "wandb")[-1]
    assert second.id == first.id
    assert second.column("val/perplexity")[0] != first.column("val/perplexity")[-1]
    assert second.rows[0]["trainer/global_step"] == 10
    assert (own / "config-2.yaml").is_file()
    assert read_checkpoint(own / "checkpoints" / "last.ckpt")["global_step"] == 15


def test_wandb_failed_fit_is_marked(tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, *LOGGED, "--checkpoint.monitor", "val/nothing") == 2
    assert wandb.run is None
    assert im2tex("fit", "--config", path, *LOGGED, "--trainer.max_steps", "1") == 0
    failed, fine = runs(tmp_path / "runs" / "wandb")
    assert failed.status != 0
    assert fine.status == 0
    assert failed.id != fine.id


def test_wandb_test_logs_table(checkpoint, tmp_path):
    flags = ("--ckpt_path", checkpoint, "--trainer.default_root_dir", tmp_path / "t")
    assert im2tex("test", *flags, *LOGGED, "--report.engine", "none") == 0
    (run,) = runs(tmp_path / "t")
    (result,) = (tmp_path / "t" / "p" / run.id).glob("test.json")
    table = json.loads(result.read_text(encoding="utf-8"))["metrics"]["test"]
    assert {"token_exact", "bleu_norm", "perplexity"} <= set(table)
    for name, value in table.items():
        assert run.column(f"test/{name}") == [pytest.approx(value, rel=1e-5)], name


def test_wandb_run_of_caller_stays_open(tmp_path):
    with wandb.init(project="p", dir=tmp_path) as run:
        assert im2tex("fit", "--config", config(tmp_path, TINY), *LOGGED) == 0
        assert wandb.run is run


def test_wandb_without_login_is_one_line(tmp_path, capsys, monkeypatch):
    def init(**_):
        raise wandb.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "init", init)
    assert im2tex("fit", "--config", config(tmp_path, TINY), *LOGGED) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("im2tex: error: Weights & Biases: No API key configured. Log in")
    assert "WANDB_MODE=offline" in said


def test_wandb_sweep_of_docs_runs(tmp_path, monkeypatch, capsys):
    """Each trial as `wandb agent` starts it: `--name=value` a parameter, the rest in variables."""
    (sweep,) = (yaml.safe_load(block) for block in blocks(ROOT / "docs" / "sweeps.md", "yaml"))
    path = config(tmp_path, changed(TINY, trainer={"max_epochs": 2}))
    command = [str(path) if "configs/" in word else word for word in sweep["command"]]
    assert command[:3] == ["${env}", "im2tex", "fit"]
    trials = [
        {"model.optimizer_args.lr": 3e-05, "model.encoder_args.dropout": 0.1},
        {
            "model.optimizer_args.lr": 0.0012,
            "model.encoder_args.dropout": 0.0,
            "model.encoder_args.batch_norm": [True, False],
            "model.preprocessing": {"symbol_size": 10},
            "seed_everything": 7,
        },
    ]
    assert all(set(sweep["parameters"]) <= set(trial) for trial in trials)
    for number, trial in enumerate(trials):
        values = {name: {"value": value} for name, value in trial.items()}
        (tmp_path / "trial.yaml").write_text(yaml.safe_dump({"wandb_version": 1} | values))
        monkeypatch.setenv("WANDB_SILENT", "false")
        monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
        monkeypatch.setenv("WANDB_RUN_ID", f"trial{number}")
        monkeypatch.setenv("WANDB_PROJECT", "p")
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "trial.yaml"))
        wandb.teardown()
        arguments = [f"--{name}={value}" for name, value in trial.items()]
        given = [two for one in command[2:] for two in (arguments if one == "${args}" else [one])]
        assert im2tex(*given) == 0, shlex.join(given)
        assert "locked by 'sweep'" not in capsys.readouterr().err
    for number, (run, trial) in enumerate(zip(runs(tmp_path / "runs"), trials, strict=True)):
        assert (run.id, run.sweep, run.status) == (f"trial{number}", "sweep", 0)
        assert len(run.column(sweep["metric"]["name"])) == 2
        assert {name: run.config[name] for name in trial} == trial  # as the sweep's own pages show
        assert run.config["model"]["optimizer_args"]["lr"] == trial["model.optimizer_args.lr"]
        kept = read_checkpoint(tmp_path / "runs" / "p" / run.id / "checkpoints" / "last.ckpt")
        assert kept["datamodule_hyper_parameters"]["seed"] == trial.get("seed_everything", 0)
        settings = kept["hyper_parameters"]
        assert settings["encoder_args"]["dropout"] == trial["model.encoder_args.dropout"]
        norm = trial.get("model.encoder_args.batch_norm", [True, True])
        assert settings["encoder_args"]["batch_norm"] == norm
