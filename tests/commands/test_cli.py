"""The commands of the trainer from fit to predict, the help, and one-line errors."""

import json
import os
import resource
import subprocess
import sys

import pytest
import torch
import wandb
import yaml
from PIL import Image, ImageDraw
from tiny_run import TINY, changed, config, im2tex, lines

from im2tex.data.store import write_split
from im2tex.latex.tokens import join_tokens
from im2tex.model.checkpoint import read_checkpoint
from im2tex.utils.version import __version__


def subprocess_of(*arguments, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        **options,
    )


def picture(path):
    image = Image.new("L", (60, 40), 255)
    ImageDraw.Draw(image).line([(8, 8), (50, 30), (8, 30)], fill=0, width=3)
    image.save(path)


@pytest.fixture
def error_line(capsys):
    """Runs a command that fails, and returns its one-line error."""

    def run(*arguments):
        assert im2tex(*arguments) == 2
        printed = capsys.readouterr().err.strip().splitlines()
        said = [line for line in printed if line.startswith("im2tex: error: ")]
        assert len(said) == 1
        assert printed[-1] == said[0]
        assert "Traceback" not in "".join(printed)
        assert "usage:" not in "".join(printed)
        return said[0].removeprefix("im2tex: error: ")

    return run


# ---------------------------------------------------------------- fit, test, predict


def test_fit_writes_checkpoints_log_config_and_images(trained):
    run = trained / "runs" / "version_0"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "config.yaml",
        "metrics.csv",
        "images/step-0000005.png",
    } <= names
    saved = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert saved["model"]["encoder_args"] == TINY["model"]["encoder_args"]


def test_fit_prints_summary_of_model_and_data(tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--trainer.limit_val_batches", "0") == 0
    said = capsys.readouterr().out
    assert "M parameters" in said
    assert "vocabulary of" in said
    assert "train: 40 of 40 samples" in said
    assert "padded pixels for each image pixel" in said


def test_test_command_prints_table_and_writes_sample_scores(checkpoint, tmp_path, capsys):
    assert im2tex("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path) == 0
    said = capsys.readouterr().out
    assert said.count("token_exact") == 1  # and no table of Lightning
    assert "perplexity" in said
    result = json.loads((tmp_path / "grammar" / "test.json").read_text(encoding="utf-8"))
    assert result["data"]["splits"] == {"test": 8}
    assert set(result["metrics"]["test"]) >= {"token_exact", "bleu", "perplexity"}
    samples = lines(tmp_path / "grammar" / "test.test.samples.jsonl")
    assert [sample["key"] for sample in samples] == [f"test-{i:06d}" for i in range(8)]
    assert (tmp_path / "grammar" / "test.md").exists()


def test_test_command_of_two_splits_writes_one_result(checkpoint, tmp_path):
    splits = "[validation,test]"
    assert (
        im2tex(
            *("test", "--ckpt_path", checkpoint, "--data.test_splits", splits),
            *("--report.folder", tmp_path, "--report.study", "both", "--report.name", "tiny"),
        )
        == 0
    )
    result = json.loads((tmp_path / "both" / "tiny.json").read_text(encoding="utf-8"))
    assert list(result["metrics"]) == ["validation", "test"]


def test_predict_writes_one_line_per_sample_in_order(checkpoint, tmp_path):
    status = im2tex(
        *("predict", "--ckpt_path", checkpoint, "--predictions.folder", tmp_path),
        *("--model.n_best", "3", "--data.predict_splits", "validation"),
    )
    assert status == 0
    found = lines(tmp_path / "validation.jsonl")
    assert [line["key"] for line in found] == [f"validation-{i:06d}" for i in range(8)]
    for line in found:
        assert set(line) == {"key", "latex", "tokens", "score", "finished", "n_best"}
        assert line["latex"] == join_tokens(line["tokens"])
        assert len(line["n_best"]) == 3
        assert line["n_best"][0] == {"latex": line["latex"], "score": line["score"]}
        scores = [one["score"] for one in line["n_best"]]
        assert scores == sorted(scores, reverse=True)


def test_predict_of_image_folder_without_labels(checkpoint, trained, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        picture(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    status = im2tex(
        *("predict", "--ckpt_path", checkpoint, "--predictions.folder", tmp_path / "out"),
        *("--data.source", "folder", "--data.source_args.path", folder),
        *("--data.predict_splits", "all", "--data.root", tmp_path / "data"),
    )
    assert status == 0
    assert [line["key"] for line in lines(tmp_path / "out" / "all.jsonl")] == ["a.png", "b.png"]


def test_validate_prints_scores_of_validation_split(checkpoint, capsys):
    assert im2tex("validate", "--ckpt_path", checkpoint) == 0
    assert "val/token_exact" in capsys.readouterr().out


def test_fit_repeated_gives_equal_weights(trained, checkpoint, tmp_path):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path) == 0
    again = torch.load(tmp_path / "runs/version_0/checkpoints/last.ckpt", weights_only=True)
    first = torch.load(checkpoint, weights_only=True)
    for name, value in first["state_dict"].items():
        assert torch.equal(value, again["state_dict"][name]), name


def test_fit_fast_dev_run_writes_no_files(tmp_path):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--trainer.fast_dev_run", "true") == 0
    assert not (tmp_path / "runs").exists()


def test_print_config_prints_settings_without_a_run(tmp_path, capsys):
    path = config(tmp_path, TINY)
    for command in ("fit", "test"):
        with pytest.raises(SystemExit) as stop:
            im2tex(command, "--config", path, "--print_config")
        assert stop.value.code == 0
        printed = yaml.safe_load(capsys.readouterr().out)
        assert printed["model"]["encoder_args"] == TINY["model"]["encoder_args"]


def test_seed_everything_is_data_seed_and_is_stored(tmp_path):
    path = config(tmp_path, TINY)
    given = ("fit", "--config", path, "--trainer.max_steps", "1")
    assert im2tex(*given, "--seed_everything", "5") == 0
    assert im2tex(*given, "--seed_everything", "5", "--data.seed", "3") == 0
    for number, seed in ((0, 5), (1, 3)):
        content = read_checkpoint(
            tmp_path / "runs" / f"version_{number}" / "checkpoints" / "last.ckpt"
        )
        assert content["datamodule_hyper_parameters"]["seed"] == seed


def test_wandb_runs_in_one_folder_keep_their_own_files(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    path = config(tmp_path, TINY)
    for _ in range(2):
        status = im2tex(
            *("fit", "--config", path, "--trainer.max_steps", "1"),
            *("--trainer.logger", "WandbLogger", "--trainer.logger.offline", "true"),
            *("--trainer.logger.save_dir", tmp_path / "runs"),
        )
        assert status == 0
        wandb.finish()
    written = (tmp_path / "runs").rglob("*")
    names = [path.name for path in written if path.is_file()]
    assert names.count("last.ckpt") == names.count("config.yaml") == 2


def test_test_command_as_subprocess(checkpoint, tmp_path):
    done = subprocess_of(
        *("-m", "im2tex", "test", "--ckpt_path", checkpoint, "--report.folder", tmp_path),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "token_exact" in done.stdout
    assert "Traceback" not in done.stderr
    result = json.loads((tmp_path / "grammar" / "test.json").read_text(encoding="utf-8"))
    assert result["command"].startswith("im2tex test --ckpt_path")


# ---------------------------------------------------------------- help


def test_help_lists_commands_without_importing_torch():
    # Processor time, which does not depend on the load of the machine.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess_of("-X", "importtime", "-m", "im2tex", "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0
    for command in ("fit", "validate", "test", "predict", "data", "components"):
        assert command in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "im2tex.cli" in imported
    assert not imported & {"torch", "lightning", "wandb", "timm", "numpy"}
    assert seconds < 1.5


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stop:
        im2tex("--version")
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == f"im2tex {__version__}"


def test_help_of_fit_lists_settings(capsys):
    with pytest.raises(SystemExit) as stop:
        im2tex("fit", "--help")
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert "--model.encoder" in said
    assert "--checkpoint.every_n_train_steps" in said


def test_im2tex_without_command_prints_help(capsys):
    assert im2tex() == 0
    assert "components" in capsys.readouterr().out


def test_components_lists_components_with_arguments(capsys):
    assert im2tex("components") == 0
    said = capsys.readouterr().out
    for kind in ("encoders:", "attentions:", "decoders:", "sources:", "optimizers:", "schedules:"):
        assert kind in said
    line = next(line for line in said.splitlines() if line.strip().startswith("row_cnn("))
    assert "row_hidden_size=512" in line
    assert "images" not in line  # the program supplies it
    assert im2tex("components", "schedules") == 0
    said = capsys.readouterr().out
    assert "plateau(factor=0.5" in said
    assert "encoders:" not in said


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fot"], ["'fot'", "fit", "predict"]),
        (["--foo"], ["--foo", "im2tex --help"]),
        (["data", "prepare"], ["SOURCE"]),
        (["data", "prepare", "crome"], ["unknown source 'crome'", "did you mean 'crohme'?"]),
        (["components", "encoder"], ["unknown kind 'encoder'", "encoders"]),
        (["test"], ["--ckpt_path"]),
        (["predict"], ["--ckpt_path"]),
        (["fit", "--ckpt_path", "nowhere.ckpt"], ["there is no checkpoint nowhere.ckpt"]),
        (["fit", "--config", "nowhere.yaml"], ["nowhere.yaml", "No such file"]),
        (["fit", "--confg", "x.yaml"], ["--confg", "did you mean --config?"]),
        (["fit", "--model.encodr", "x"], ["--model.encodr", "did you mean --model.encoder?"]),
        (["fit", "--trainer.max_epochs", "ten"], ["trainer.max_epochs", "int or null", "'ten'"]),
        (["fit", "--data.batch_size", "x"], ["data.batch_size must be int, got 'x'"]),
        (["fit", "quickstart.yaml"], ["quickstart.yaml"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_command_line_mistake_is_one_line(arguments, words, error_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = error_line(*arguments)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model.encoder", "row_cn"], ["unknown encoder 'row_cn'", "did you mean 'row_cnn'?"]),
        (["--model.attention", "x"], ["unknown attention 'x'", "standard"]),
        (
            ["--model.encoder_args.row_hiden_size", "8"],
            ["'row_hiden_size'", "did you mean 'row_hidden_size'?"],
        ),
        (["--model.encoder_args.row_hidden_size", "7"], ["row_hidden_size", "even", "7"]),
        (["--model.decoder_args.hidden_size", "wide"], ["hidden_size='wide'", "expected int"]),
        (["--model.beam_size", "0"], ["beam_size"]),
        (["--model.preprocessing.stroke", "2"], ["'stroke'", "stroke_width"]),
        (["--model.schedule_args.warmup", "2"], ["'warmup'", "warmup_steps"]),
        (["--checkpoint.mode", "up"], ["checkpoint.mode must be min or max, got 'up'"]),
        (["--trainer.precision", "12"], ["trainer.precision", "bf16-mixed", "'12'"]),
        (["--trainer.strategy", "dpp"], ["strategy", "'dpp'", "ddp"]),
        (["--trainer.logger", "NoLogger"], ["trainer.logger", "'NoLogger'"]),
        (["--data.batch_size", "0"], ["data.batch_size must be >= 1, got 0"]),
        (["--data.num_workers", "-1"], ["data.num_workers must be >= 0, got -1"]),
        (["--data.swap_fraction", "2"], ["data.swap_fraction must be in [0, 1], got 2"]),
        (["--data.augmentation.rotate", "2"], ["'rotate'", "rotation"]),
        (["--data.train_split", "trian"], ["no split 'trian'", "test, train, validation"]),
        (["--data.max_length", "1"], ["nothing is left to train on", "40 longer than 1 tokens"]),
        (["--ema", "2"], ["--ema", "2.0"]),
        (["--trainer.gradient_clip_val", "1"], ["model.clip_norm"]),
        (["--checkpoint.monitor", "val/nothing"], ["val/nothing"]),
        (["--model.init_from", "nowhere.ckpt"], ["nowhere.ckpt", "im2tex fit", "null"]),
        (["--ckpt_path", "last"], ["checkpoints/last.ckpt", "--trainer.default_root_dir"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and value[0][:2] == "--" else None,
)
def test_fit_wrong_setting_is_one_line_with_advice(flags, words, error_line, tmp_path):
    said = error_line("fit", "--config", config(tmp_path, TINY), *flags)
    for word in words:
        assert word in said


def test_fit_missing_data_names_command_that_prepares_it(error_line, tmp_path):
    path = config(tmp_path, TINY)
    said = error_line("fit", "--config", path, "--data.source", "crohme")
    assert f"im2tex data prepare crohme --from PATH --root {tmp_path / 'data'}" in said


def test_unwritable_data_root_is_named(error_line, tmp_path):
    (tmp_path / "file").write_text("in the place of a folder", encoding="utf-8")
    path = config(tmp_path, TINY)
    root = tmp_path / "file" / "data"
    assert str(root) in error_line("fit", "--config", path, "--data.root", root)
    picture(tmp_path / "ink.png")
    arguments = ("data", "prepare", "folder", "--from", tmp_path, "--root", root)
    assert str(root) in error_line(*arguments)


def test_unwritable_run_folder_is_named(error_line, tmp_path):
    (tmp_path / "file").write_text("in the place of a folder", encoding="utf-8")
    runs = tmp_path / "file" / "runs"
    path = config(tmp_path, TINY)
    said = error_line("fit", "--config", path, "--trainer.default_root_dir", runs)
    assert str(tmp_path / "file") in said
    assert "--trainer.default_root_dir" in said


def test_unwritable_report_folder_is_named_after_table(error_line, checkpoint, tmp_path):
    (tmp_path / "file").write_text("in the place of a folder", encoding="utf-8")
    folder = tmp_path / "file" / "results"
    assert str(folder) in error_line("test", "--ckpt_path", checkpoint, "--report.folder", folder)
    said = error_line("predict", "--ckpt_path", checkpoint, "--predictions.folder", folder)
    assert str(folder) in said
    assert "--predictions.folder" in said


def test_fit_empty_split_is_an_error(error_line, tmp_path):
    path = config(tmp_path, changed(TINY, data={"source": "folder", "source_args": {}}))
    for split in ("all", "train", "validation"):
        write_split(tmp_path / "data" / "folder" / f"{split}.parquet", [], {"source": "folder"})
    assert "holds no sample" in error_line("fit", "--config", path)


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "\x00"])
def test_fit_invalid_config_file_is_named(text, error_line, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    assert "bad.yaml" in error_line("fit", "--config", path)


def test_checkpoint_keeps_settings_of_its_source(tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b", "c", "d"):
        image = Image.new("L", (60, 30), 255)
        ImageDraw.Draw(image).text((10, 5), name, fill=0)
        image.save(pictures / f"{name}.png")
    (pictures / "labels.tsv").write_text("".join(f"{n}.png\t{n}\n" for n in "abcd"))
    arguments = {"path": str(pictures), "validation": 0.5}
    settings = changed(TINY, data={"source": "folder", "source_args": arguments})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path / "r") == 0
    (result,) = (tmp_path / "r").rglob("test.json")
    assert json.loads(result.read_text())["config"]["data"]["source_args"] == arguments
