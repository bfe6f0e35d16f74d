"""Settings in layers: flags over configurations over the checkpoint over the defaults."""

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
def settled(tmp_path, monkeypatch):
    """The settings that a command ends up with, instead of a run."""

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


# ---------------------------------------------------------------- names and their arguments

SGD = {"model": {"optimizer": "sgd", "optimizer_args": {"momentum": 0.5}}}
ADAMW = {"model": {"optimizer": "adamw", "optimizer_args": {"beta1": 0.8}}}


def test_a_name_changed_by_a_later_configuration_drops_the_earlier_ones_arguments(
    settled, tmp_path
):
    one, two = write(tmp_path / "1.yaml", SGD), write(tmp_path / "2.yaml", ADAMW)
    assert settled("--config", one, "--config", two)["model"]["optimizer_args"] == {"beta1": 0.8}
    assert settled("--config", two, "--config", one)["model"]["optimizer_args"] == {"momentum": 0.5}


def test_a_configuration_that_only_names_another_component_starts_from_its_defaults(
    settled, tmp_path
):
    one = write(tmp_path / "1.yaml", SGD)
    two = write(tmp_path / "2.yaml", {"model": {"optimizer": "adamw"}})
    model = settled("--config", one, "--config", two)["model"]
    assert (model["optimizer"], model["optimizer_args"]) == ("adamw", {})


def test_a_base_is_the_layer_before_the_file_that_names_it(settled, tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "1.yaml", changed(SGD, trainer={"max_epochs": 7}))
    write(tmp_path / "2.yaml", {"base": "below/1.yaml", "model": {"min_count": 3}})
    third = write(tmp_path / "3.yaml", {"base": "2.yaml", "trainer": {"min_epochs": 2}})
    found = settled("--config", third, "--trainer.min_epochs=4")
    assert found["model"]["optimizer_args"] == {"momentum": 0.5}
    assert found["model"]["min_count"] == 3
    assert (found["trainer"]["max_epochs"], found["trainer"]["min_epochs"]) == (7, 4)
    assert "base" not in found
    assert load_config(third)["trainer"] == {"max_epochs": 7, "min_epochs": 2}


def test_another_component_than_the_bases_starts_from_its_defaults(settled, tmp_path):
    write(tmp_path / "1.yaml", SGD)
    other = write(tmp_path / "2.yaml", {"base": "1.yaml", "model": {"optimizer": "adamw"}})
    assert not settled("--config", other)["model"]["optimizer_args"]
    assert load_config(other)["model"] == {"optimizer": "adamw"}


@pytest.mark.parametrize(
    ("base", "said"), [("2.yaml", "is its own base"), ("none.yaml", "cannot read"), (3, "got 3")]
)
def test_a_base_that_cannot_be_is_named(base, said, tmp_path, capsys):
    path = write(tmp_path / "2.yaml", {"base": base})
    assert main(["fit", "--config", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("turned", [False, True])
def test_flags_that_change_a_name_keep_their_own_arguments_in_any_order(settled, tmp_path, turned):
    flags = ["--model.optimizer=adamw", "--model.optimizer_args.beta2=0.9"]
    model = settled("--config", write(tmp_path / "1.yaml", SGD), *flags[:: -1 if turned else 1])
    assert model["model"]["optimizer"] == "adamw"
    assert model["model"]["optimizer_args"] == {"beta2": 0.9}


def test_arguments_of_the_default_component_go_too_when_another_one_is_named(settled, tmp_path):
    one = write(tmp_path / "1.yaml", {"model": {"optimizer_args": {"beta1": 0.8}}})
    model = settled("--config", one, "--model.optimizer", "sgd")["model"]
    assert (model["optimizer"], model["optimizer_args"]) == ("sgd", {})


def test_a_flag_changes_one_argument_and_leaves_the_others(settled, tmp_path):
    path = config(tmp_path, TINY)
    model = settled("--config", path, "--model.encoder_args.row_hidden_size", "64")["model"]
    assert model["encoder_args"] == TINY["model"]["encoder_args"] | {"row_hidden_size": 64}


def test_the_same_name_said_again_keeps_the_arguments(settled, tmp_path):
    path = config(tmp_path, TINY)
    again = write(tmp_path / "again.yaml", {"model": {"encoder": "row_cnn"}})
    for flags in (["--config", again], ["--model.encoder", "row_cnn"]):
        model = settled("--config", path, *flags)["model"]
        assert model["encoder_args"] == TINY["model"]["encoder_args"]


def test_another_source_drops_arguments_and_names_of_splits(settled, tmp_path):
    path = config(tmp_path, changed(TINY, data={"test_splits": ["test"], "train_split": "train"}))
    data = settled("--config", path, "--data.source", "folder")["data"]
    assert data["source_args"] == {}
    assert data["test_splits"] is None
    assert data["train_split"] is None
    data = settled(
        *("--config", path, "--data.source", "folder"),
        *("--data.source_args.path", "x", "--data.predict_splits", "all"),
    )["data"]
    assert data["source_args"] == {"path": "x"}
    assert data["predict_splits"] == "all"


def test_flags_between_configurations_stand_where_they_stand(settled, tmp_path):
    one = write(tmp_path / "1.yaml", {"model": {"min_count": 2, "clip_norm": 1.0}})
    two = write(tmp_path / "2.yaml", {"model": {"min_count": 3}})
    model = settled("--config", one, "--model.min_count=9", "--model.clip_norm=9", "--config", two)
    assert (model["model"]["min_count"], model["model"]["clip_norm"]) == (3, 9.0)


def test_layers_by_hand(tmp_path):
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


def test_the_names_that_hold_without_a_word_are_the_constructors_own():
    assert component_defaults() == {
        "model.encoder": "row_cnn",
        "model.attention": "standard",
        "model.decoder": "lstm",
        "model.optimizer": "adamw",
        "model.schedule": "cosine",
        "data.source": "grammar",
    }


# ---------------------------------------------------------------- the checkpoint as a layer


def test_flags_win_over_configurations_over_the_checkpoint_over_the_defaults(
    settled, checkpoint, tmp_path
):
    def batch_size(*flags):
        given = ("--ckpt_path", checkpoint, *flags)
        return settled(*given, subcommand="test")["data"]["batch_size"]

    path = write(tmp_path / "1.yaml", {"data": {"batch_size": 5}})
    assert settled()["data"]["batch_size"] == 32
    assert batch_size() == TINY["data"]["batch_size"] == 8
    assert batch_size("--config", path) == 5
    assert batch_size("--config", path, "--data.batch_size", "3") == 3


def test_a_checkpoint_brings_model_data_and_preprocessing(settled, checkpoint):
    found = settled("--ckpt_path", checkpoint, subcommand="predict")
    assert found["model"]["encoder_args"] == TINY["model"]["encoder_args"]
    assert found["model"]["preprocessing"] == TINY["model"]["preprocessing"]
    assert found["data"]["source_args"] == TINY["data"]["source_args"]


def test_preprocessing_and_data_of_a_checkpoint_can_be_overruled(settled, checkpoint):
    found = settled(
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
def test_another_architecture_than_the_checkpoints_is_an_error_with_both_values(
    flags, words, checkpoint, capsys
):
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
def test_a_fit_goes_on_with_its_own_optimiser_or_says_so(flags, words, checkpoint, capsys):
    assert im2tex("fit", "--ckpt_path", checkpoint, *flags) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    for word in words:
        assert word in said
    assert "model.init_from" in said


def test_saying_what_the_checkpoint_has_anyway_is_no_conflict(settled, checkpoint, trained):
    settled("--ckpt_path", checkpoint, "--config", trained / "tiny.yaml", subcommand="test")
    settled(
        *("--ckpt_path", checkpoint, "--model.encoder", "row_cnn"),
        *("--model.encoder_args.residual", "false", "--model.decoder_args.hidden_size", "16"),
        subcommand="test",
    )


def test_what_acts_once_and_how_to_decode_are_not_in_a_checkpoint(checkpoint):
    stored = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    forgotten = {"init_from", "beam_size", "length_penalty", "max_length", "n_best"}
    assert not forgotten & set(stored)
    assert {"encoder", "decoder_args", "preprocessing", "vocabulary", "optimizer"} <= set(stored)


def test_a_vocabulary_does_not_travel_through_the_configuration(checkpoint):
    stored = torch.load(checkpoint, weights_only=True)
    layer = checkpoint_layer(stored)
    assert "=" in stored["hyper_parameters"]["vocabulary"]
    assert "model.vocabulary" not in layer.values


# ---------------------------------------------------------------- which checkpoint


def test_last_is_the_newest_of_the_folder_of_runs(settled, trained, checkpoint, tmp_path):

    for number, age in ((0, 100), (1, 300), (2, 200)):
        copy = tmp_path / f"version_{number}" / "checkpoints" / "last.ckpt"
        copy.parent.mkdir(parents=True)
        shutil.copy(checkpoint, copy)
        os.utime(copy, (age, age))
    for flags in (
        ["--trainer.default_root_dir", tmp_path],
        ["--config", write(tmp_path / "1.yaml", {"trainer": {"default_root_dir": str(tmp_path)}})],
    ):
        found = settled("--ckpt_path", "last", *flags)
        assert found["ckpt_path"] == str(tmp_path / "version_1" / "checkpoints" / "last.ckpt")


def test_a_moved_checkpoint_alone_tests_on_its_own_data_with_its_own_vocabulary(
    trained, checkpoint, tmp_path, monkeypatch
):
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
