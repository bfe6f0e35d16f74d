"""Packaged models and exported folders in place of a checkpoint."""

import json

import pytest
from tiny_run import TINY, config, im2tex, lines

from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.folders import CONFIG

SCALES = ("0.75", "1")


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    """An exported ensemble: the checkpoint's model twice, at two scales."""
    out = tmp_path_factory.mktemp("exported") / "model"
    export = ("export", "--ckpt_path", checkpoint, "--folder", out)
    assert im2tex(*export, "--ensemble", checkpoint, "--scales", *SCALES) == 0
    return out


def result(folder):
    return json.loads((folder / "grammar" / "test.json").read_text(encoding="utf-8"))


def test_test_command_of_model_folder_equals_that_of_checkpoints(folder, checkpoint, tmp_path):
    flags = ("--report.engine", "none", "--trainer.default_root_dir", tmp_path)
    ensemble = ("--model.ensemble", f"[{checkpoint}]", "--model.tta_scales", "[0.75, 1]")
    test = ("test", "--ckpt_path")
    assert im2tex(*test, folder, *flags, "--report.folder", tmp_path / "a") == 0
    assert im2tex(*test, checkpoint, *ensemble, *flags, "--report.folder", tmp_path / "b") == 0
    found, expected = result(tmp_path / "a"), result(tmp_path / "b")
    assert found["signatures"]["beam"] == expected["signatures"]["beam"]
    assert found["signatures"]["checkpoint"] == str(folder)
    assert found["metrics"]["test"]["token_exact"] == expected["metrics"]["test"]["token_exact"]
    perplexity = [one["metrics"]["test"]["perplexity"] for one in (found, expected)]
    assert perplexity[0] == pytest.approx(perplexity[1], rel=0.01)  # half precision


def test_flags_override_ensemble_of_model_folder(folder, tmp_path):
    flags = ("--report.engine", "none", "--trainer.default_root_dir", tmp_path)
    single = ("--model.ensemble", "null", "--model.tta_scales", "null", "--report.folder", tmp_path)
    assert im2tex("test", "--ckpt_path", folder, *flags, *single) == 0
    assert "models=" not in result(tmp_path)["signatures"]["beam"]


@pytest.mark.parametrize("command", ["validate", "predict"])
def test_predict_and_validate_accept_model_folder(command, folder, tmp_path, capsys):
    flags = ("--trainer.default_root_dir", tmp_path)
    assert im2tex(command, "--ckpt_path", folder, *flags) == 0
    if command == "predict":
        (file,) = tmp_path.glob("**/predictions/test.jsonl")
        assert len(lines(file)) == TINY["data"]["source_args"]["size_test"]


def test_fit_initializes_from_model_folder(folder, tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--model.init_from", folder) == 0
    assert "  new: none" in capsys.readouterr().out
    (last,) = tmp_path.glob("runs/**/last.ckpt")
    assert read_checkpoint(last)["hyper_parameters"]["encoder"] == "row_cnn"


def test_attention_command_accepts_model_folder(folder, checkpoint, tmp_path, trained):
    split = ("--split", "test", "--root", trained / "data", "--limit", "1", "--engine", "none")
    page = tmp_path / "page.html"
    assert im2tex("report", "attention", "--ckpt_path", folder, *split, "--out", page) == 0
    assert "mean over models and scales" in page.read_text(encoding="utf-8")


def test_model_folder_without_data_needs_source(folder, tmp_path, capsys):
    settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    settings["data"] = {}
    other = tmp_path / "other"
    other.mkdir()
    (other / CONFIG).write_text(json.dumps(settings), encoding="utf-8")
    for name in ("model.safetensors", "member_1"):
        (other / name).symlink_to(folder / name)
    assert im2tex("test", "--ckpt_path", other) == 2
    assert "pass --data.source, such as crohme" in capsys.readouterr().err


def test_architecture_other_than_model_folder_is_refused(folder, capsys):
    assert im2tex("test", "--ckpt_path", folder, "--model.decoder", "ctc") == 2
    assert "model.decoder is 'ctc'" in capsys.readouterr().err
