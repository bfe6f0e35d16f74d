"""Layers of settings: flags override configurations, these a checkpoint, this the defaults."""

import json
import os
import shutil

import pytest
import torch
import yaml
from tiny_run import TINY, changed, config, im2tex

from im2tex.cli import main
from im2tex.commands.trainer.checkpoint_settings import checkpoint_layer
from im2tex.commands.trainer.cli import FormulaCLI
from im2tex.commands.trainer.config_layers import (
    flatten,
    last_value,
    load_config,
    reset_replaced_arguments,
    split_layers,
)
from im2tex.commands.trainer.run import component_defaults


@pytest.fixture
def final_settings(tmp_path, monkeypatch):
    """Returns the settings that a command would run with, and runs nothing."""

    def run(*arguments, subcommand="fit"):
        found = {}
        monkeypatch.setattr(
            FormulaCLI,
            "_run_subcommand",
            lambda self, name: found.update(self.config[name].as_dict()),
        )
        assert main([subcommand, *map(str, arguments)]) == 0
        return found

    return run


def write(path, settings):
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


# ---------------------------------------------------------------- components and their arguments

SGD = {"model": {"optimizer": "sgd", "optimizer_args": {"momentum": 0.5}}}
ADAMW = {"model": {"optimizer": "adamw", "optimizer_args": {"beta1": 0.8}}}


def test_later_config_with_other_component_resets_arguments(final_settings, tmp_path):
    one, two = write(tmp_path / "1.yaml", SGD), write(tmp_path / "2.yaml", ADAMW)
    assert final_settings("--config", one, "--config", two)["model"]["optimizer_args"] == {
        "beta1": 0.8
    }
    assert final_settings("--config", two, "--config", one)["model"]["optimizer_args"] == {
        "momentum": 0.5
    }


def test_config_naming_other_component_starts_from_defaults(final_settings, tmp_path):
    one = write(tmp_path / "1.yaml", SGD)
    two = write(tmp_path / "2.yaml", {"model": {"optimizer": "adamw"}})
    model = final_settings("--config", one, "--config", two)["model"]
    assert (model["optimizer"], model["optimizer_args"]) == ("adamw", {})


def test_base_is_overridden_by_file_that_names_it(final_settings, tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "1.yaml", changed(SGD, trainer={"max_epochs": 7}))
    write(tmp_path / "2.yaml", {"base": "below/1.yaml", "model": {"min_count": 3}})
    third = write(tmp_path / "3.yaml", {"base": "2.yaml", "trainer": {"min_epochs": 2}})
    found = final_settings("--config", third, "--trainer.min_epochs=4")
    assert found["model"]["optimizer_args"] == {"momentum": 0.5}
    assert found["model"]["min_count"] == 3
    assert (found["trainer"]["max_epochs"], found["trainer"]["min_epochs"]) == (7, 4)
    assert "base" not in found
    assert load_config(third)["trainer"] == {"max_epochs": 7, "min_epochs": 2}


def test_component_other_than_base_starts_from_defaults(final_settings, tmp_path):
    write(tmp_path / "1.yaml", SGD)
    other = write(tmp_path / "2.yaml", {"base": "1.yaml", "model": {"optimizer": "adamw"}})
    assert not final_settings("--config", other)["model"]["optimizer_args"]
    assert load_config(other)["model"] == {"optimizer": "adamw"}


@pytest.mark.parametrize(
    ("base", "said"), [("2.yaml", "is its own base"), ("none.yaml", "cannot read"), (3, "got 3")]
)
def test_wrong_base_is_refused(base, said, tmp_path, capsys):
    path = write(tmp_path / "2.yaml", {"base": base})
    assert main(["fit", "--config", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("turned", [False, True])
def test_component_flag_keeps_argument_flags_in_any_order(final_settings, tmp_path, turned):
    flags = ["--model.optimizer=adamw", "--model.optimizer_args.beta2=0.9"]
    model = final_settings(
        "--config", write(tmp_path / "1.yaml", SGD), *flags[:: -1 if turned else 1]
    )
    assert model["model"]["optimizer"] == "adamw"
    assert model["model"]["optimizer_args"] == {"beta2": 0.9}


def test_component_flag_resets_arguments_of_default_component(final_settings, tmp_path):
    one = write(tmp_path / "1.yaml", {"model": {"optimizer_args": {"beta1": 0.8}}})
    model = final_settings("--config", one, "--model.optimizer", "sgd")["model"]
    assert (model["optimizer"], model["optimizer_args"]) == ("sgd", {})


def test_argument_flag_keeps_other_arguments(final_settings, tmp_path):
    path = config(tmp_path, TINY)
    model = final_settings("--config", path, "--model.encoder_args.row_hidden_size", "64")["model"]
    assert model["encoder_args"] == TINY["model"]["encoder_args"] | {"row_hidden_size": 64}


def test_repeated_component_name_keeps_arguments(final_settings, tmp_path):
    path = config(tmp_path, TINY)
    again = write(tmp_path / "again.yaml", {"model": {"encoder": "row_cnn"}})
    for flags in (["--config", again], ["--model.encoder", "row_cnn"]):
        model = final_settings("--config", path, *flags)["model"]
        assert model["encoder_args"] == TINY["model"]["encoder_args"]


def test_source_flag_resets_arguments_and_splits(final_settings, tmp_path):
    path = config(tmp_path, changed(TINY, data={"test_splits": ["test"], "train_split": "train"}))
    data = final_settings("--config", path, "--data.source", "folder")["data"]
    assert data["source_args"] == {}
    assert data["test_splits"] is None
    assert data["train_split"] is None
    data = final_settings(
        *("--config", path, "--data.source", "folder"),
        *("--data.source_args.path", "x", "--data.predict_splits", "all"),
    )["data"]
    assert data["source_args"] == {"path": "x"}
    assert data["predict_splits"] == "all"


def test_flags_between_configs_keep_their_position(final_settings, tmp_path):
    one = write(tmp_path / "1.yaml", {"model": {"min_count": 2, "clip_norm": 1.0}})
    two = write(tmp_path / "2.yaml", {"model": {"min_count": 3}})
    model = final_settings(
        "--config", one, "--model.min_count=9", "--model.clip_norm=9", "--config", two
    )
    assert (model["model"]["min_count"], model["model"]["clip_norm"]) == (3, 9.0)


def test_split_layers_separates_flags_and_files(tmp_path):
    path = write(tmp_path / "1.yaml", SGD)
    given = [
        "--model.optimizer",
        "adamw",
        "--config",
        str(path),
        "--ema=0.9",
        "--model.num_validation_examples=3",
    ]
    layers = split_layers(given)
    assert [layer.arguments for layer in layers] == [given[:2], [], given[4:]]
    assert [layer.content for layer in layers] == [None, SGD, None]
    assert layers[1].values["model.optimizer_args.momentum"] == 0.5
    assert layers[2].values == {"ema": "0.9", "model.num_validation_examples": "3"}
    assert last_value(layers, "model.optimizer") == "sgd"
    assert last_value(layers, "trainer.max_epochs") is None
    listed = reset_replaced_arguments(layers, {"model.optimizer": "adamw"})
    assert listed == [*given[:2], "--model.optimizer_args={}", *given[4:]]


def test_flatten_lists_nodes_and_leaves():
    assert flatten({"a": {"b": 1, "c": {"d": None}}}) == {
        "a": {"b": 1, "c": {"d": None}},
        "a.b": 1,
        "a.c": {"d": None},
        "a.c.d": None,
    }


def test_component_defaults_are_those_of_constructors():
    assert component_defaults() == {
        "model.encoder": "row_cnn",
        "model.attention": "standard",
        "model.decoder": "lstm",
        "model.optimizer": "adamw",
        "model.schedule": "cosine",
        "data.source": "grammar",
    }


# ---------------------------------------------------------------- checkpoints


def test_layers_override_in_order(final_settings, checkpoint, tmp_path):
    def batch_size(*flags):
        given = ("--ckpt_path", checkpoint, *flags)
        return final_settings(*given, subcommand="test")["data"]["batch_size"]

    path = write(tmp_path / "1.yaml", {"data": {"batch_size": 5}})
    assert final_settings()["data"]["batch_size"] == 32
    assert batch_size() == TINY["data"]["batch_size"] == 8
    assert batch_size("--config", path) == 5
    assert batch_size("--config", path, "--data.batch_size", "3") == 3


def test_checkpoint_layer_has_model_and_data(final_settings, checkpoint):
    found = final_settings("--ckpt_path", checkpoint, subcommand="predict")
    assert found["model"]["encoder_args"] == TINY["model"]["encoder_args"]
    assert found["model"]["preprocessing"] == TINY["model"]["preprocessing"]
    assert found["data"]["source_args"] == TINY["data"]["source_args"]


def test_flags_override_preprocessing_and_data_of_checkpoint(final_settings, checkpoint):
    found = final_settings(
        *("--ckpt_path", checkpoint, "--model.preprocessing.symbol_size", "20"),
        *("--data.source", "folder"),
        subcommand="predict",
    )
    assert found["model"]["preprocessing"] == {"symbol_size": 20}
    assert (found["data"]["source"], found["data"]["source_args"]) == ("folder", {})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--model.encoder_args.row_hidden_size", "16"],
            ["encoder_args.row_hidden_size is 16", "with 8"],
        ),
        (["--model.encoder_args.residual", "true"], ["residual is True", "with False"]),
        (["--model.decoder_args.hidden_size", "32"], ["decoder_args.hidden_size is 32", "with 16"]),
        (["--model.attention_args.score", "additive"], ["'additive'", "'bilinear'"]),
        (["--model.decoder", "transformer"], ["'transformer'", "'lstm'"]),
        (["--model.vocabulary", "[x, y]"], ["['x', 'y']", "trained with"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else None,
)
def test_architecture_other_than_checkpoint_is_refused(flags, words, checkpoint, capsys):
    assert im2tex("test", "--ckpt_path", checkpoint, *flags) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    for word in words:
        assert word in said
    assert "model.init_from" in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model.optimizer", "sgd"], ["model.optimizer is 'sgd'", "with 'adamw'"]),
        (["--model.optimizer_args.lr", "0.5"], ["optimizer_args.lr is 0.5", "with 0.001"]),
        (["--model.schedule", "plateau"], ["model.schedule is 'plateau'", "with 'cosine'"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else None,
)
def test_resumed_fit_with_other_optimizer_is_refused(flags, words, checkpoint, capsys):
    assert im2tex("fit", "--ckpt_path", checkpoint, *flags) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    for word in words:
        assert word in said
    assert "model.init_from" in said


def test_settings_equal_to_checkpoint_are_accepted(final_settings, checkpoint, trained):
    final_settings("--ckpt_path", checkpoint, "--config", trained / "tiny.yaml", subcommand="test")
    final_settings(
        *("--ckpt_path", checkpoint, "--model.encoder", "row_cnn"),
        *("--model.encoder_args.residual", "false", "--model.decoder_args.hidden_size", "16"),
        subcommand="test",
    )


def test_checkpoint_has_no_search_options(checkpoint):
    stored = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    forgotten = {"init_from", "beam_size", "length_penalty", "max_length", "n_best"}
    assert not forgotten & set(stored)
    assert {"encoder", "decoder_args", "preprocessing", "vocabulary", "optimizer"} <= set(stored)


def test_checkpoint_layer_has_no_vocabulary(checkpoint):
    stored = torch.load(checkpoint, weights_only=True)
    layer = checkpoint_layer(stored)
    assert "=" in stored["hyper_parameters"]["vocabulary"]
    assert "model.vocabulary" not in layer.values


# ---------------------------------------------------------------- --ckpt_path last


def test_ckpt_path_last_is_newest_checkpoint(final_settings, trained, checkpoint, tmp_path):

    for number, age in ((0, 100), (1, 300), (2, 200)):
        copy = tmp_path / f"version_{number}" / "checkpoints" / "last.ckpt"
        copy.parent.mkdir(parents=True)
        shutil.copy(checkpoint, copy)
        os.utime(copy, (age, age))
    for flags in (
        ["--trainer.default_root_dir", tmp_path],
        ["--config", write(tmp_path / "1.yaml", {"trainer": {"default_root_dir": str(tmp_path)}})],
    ):
        found = final_settings("--ckpt_path", "last", *flags)
        assert found["ckpt_path"] == str(tmp_path / "version_1" / "checkpoints" / "last.ckpt")


def test_moved_checkpoint_tests_on_its_own_data(trained, checkpoint, tmp_path, monkeypatch):
    moved = tmp_path / "elsewhere" / "model.ckpt"
    moved.parent.mkdir()
    shutil.copy(checkpoint, moved)
    monkeypatch.chdir(moved.parent)
    assert im2tex("test", "--ckpt_path", "model.ckpt", "--report.folder", "results") == 0
    assert im2tex("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path / "there") == 0
    here, there = (
        json.loads((folder / "grammar" / "test.json").read_text(encoding="utf-8"))
        for folder in (moved.parent / "results", tmp_path / "there")
    )
    assert here["metrics"] == there["metrics"]
    assert here["data"] == there["data"]
    assert here["data"]["splits"] == {"test": 8}
    assert here["config"]["model"]["preprocessing"] == {"symbol_size": 12}
    assert not (moved.parent / "data").exists()
