"""Old names of settings: accepted in every place that may hold one, with a warning for the user."""

import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tiny_run import TINY, config, im2tex

from im2tex import renames
from im2tex.attention import ATTENTIONS
from im2tex.commands.trainer.cli import FormulaCLI
from im2tex.commands.trainer.config_layers import split_layers, use_current_arguments
from im2tex.commands.trainer.early_checks import is_known_flag
from im2tex.data.datamodule import FormulaDataModule
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.source import SOURCES
from im2tex.decoders import DECODERS, Decoder
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.model.migration import rename_settings
from im2tex.registry import Registry
from im2tex.training.module import Im2Tex
from im2tex.training.optim import OPTIMIZERS, SCHEDULES


@pytest.fixture
def table(monkeypatch):
    """A table of its own, so that the tests do not depend on what was renamed."""
    monkeypatch.setattr(
        renames,
        "SETTINGS",
        {
            "data.old_workers": "data.num_workers",
            "model.preprocessing.old_size": "model.preprocessing.size",
        },
    )
    monkeypatch.setattr(renames, "ARGUMENTS", {("decoder", "pen"): {"old_width": "width"}})
    monkeypatch.setattr(renames, "VALUES", {("decoder", "pen", "side"): {"left": "left_to_right"}})


class Pen:
    def __init__(self, width: int = 1, side: str = "both") -> None:
        self.width, self.side = width, side


def pens():
    registry: Registry[Pen] = Registry("decoder", group="im2tex.test_pens")
    registry.register("pen")(Pen)
    return registry


def test_registry_old_argument_builds_with_warning(table):
    with pytest.warns(
        FutureWarning, match="old_width is the name of an older version; write width"
    ):
        assert pens().build("pen", {"old_width": 3}).width == 3


def test_registry_old_value_builds_with_warning(table):
    with pytest.warns(FutureWarning, match="side=left .* write side=left_to_right"):
        assert pens().build("pen", {"side": "left"}).side == "left_to_right"


def test_registry_current_names_do_not_warn(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pens().build("pen", {"width": 3, "side": "both"}).width == 3


def test_registry_both_names_raise(table):
    with pytest.raises(Im2TexError, match="decoder 'pen' has both old_width and width"):
        pens().build("pen", {"old_width": 3, "width": 4})


def test_old_argument_of_another_component_is_unknown(table):
    registry = pens()
    registry.register("brush")(Pen)
    with pytest.raises(Im2TexError, match="takes no argument 'old_width'"):
        registry.build("brush", {"old_width": 3})


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["--data.old_workers", "3"], ["--data.num_workers", "3"]),
        (["--data.old_workers=3"], ["--data.num_workers=3"]),
        (
            ["--model.preprocessing.old_size=3"],
            ["--model.preprocessing.size=3"],
        ),
    ],
)
def test_flag_with_old_name_is_passed_on_with_the_current_one(table, given, taken):
    with pytest.warns(FutureWarning, match="is the name of an older version"):
        (layer,) = split_layers(given)
    assert layer.arguments == taken
    assert layer.values == {taken[0].removeprefix("--").partition("=")[0]: "3"}


def test_flag_with_old_name_is_known(table, monkeypatch):
    monkeypatch.setitem(renames.SETTINGS, "data.old_workers", "data.batch_size")
    assert is_known_flag("--data.old_workers=3")
    assert not is_known_flag("--data.very_old_workers=3")


def test_configuration_with_old_name_is_read_with_a_warning(table, tmp_path: Path):
    base, file = tmp_path / "base.yaml", tmp_path / "run.yaml"
    base.write_text("data: {old_workers: 3}\nmodel: {preprocessing: {old_size: 9, pad: 1}}\n")
    file.write_text("base: base.yaml\ndata: {batch_size: 4}\n")
    with pytest.warns(FutureWarning, match=r"base.yaml: data.old_workers .* data.num_workers"):
        (layer,) = split_layers(["--config", str(file)])
    assert layer.content == {
        "data": {"num_workers": 3, "batch_size": 4},
        "model": {"preprocessing": {"size": 9, "pad": 1}},
    }


def test_configuration_with_both_names_is_refused_by_file(table, tmp_path: Path):
    file = tmp_path / "run.yaml"
    file.write_text("data: {old_workers: 3, num_workers: 4}\n")
    with pytest.raises(Im2TexError, match=r"run.yaml.*both data.old_workers and data.num_workers"):
        split_layers(["--config", str(file)])


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["--model.decoder_args.old_width", "3"], ["--model.decoder_args.width", "3"]),
        (["--model.decoder_args.old_width=3"], ["--model.decoder_args.width=3"]),
        (["--model.decoder_args.side=left"], ["--model.decoder_args.side=left_to_right"]),
        (["--model.decoder_args={old_width: 3}"], ['--model.decoder_args={"width": 3}']),
        (["--model.decoder_args", "{old_width: 3}"], ["--model.decoder_args", '{"width": 3}']),
    ],
)
def test_flag_with_old_argument_is_passed_on_with_the_current_one(table, given, taken):
    (layer,) = layers = split_layers(given)
    with pytest.warns(FutureWarning, match="decoder 'pen': .* of an older version"):
        use_current_arguments(layers, {"model.decoder": "pen"})
    assert layer.arguments == taken


def test_old_argument_of_a_configuration_is_that_of_the_component_in_force(table, tmp_path: Path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("model: {decoder: pen, decoder_args: {old_width: 3}}\n")
    two.write_text("model: {decoder: brush, decoder_args: {old_width: 4}}\n")
    layers = split_layers(["--config", str(one), "--config", str(two), "--model.clip_norm=1"])
    with pytest.warns(FutureWarning, match="old_width"):
        use_current_arguments(layers, {"model.decoder": "lstm"})
    arguments = [layer.content["model"]["decoder_args"] for layer in layers[:2]]
    assert arguments == [{"width": 3}, {"old_width": 4}]
    assert layers[2].arguments == ["--model.clip_norm=1"]


def test_flag_by_its_old_name_overrides_a_configuration_and_warns_once(tmp_path, monkeypatch):
    found = {}
    monkeypatch.setattr(
        FormulaCLI, "_run_subcommand", lambda cli, name: found.update(cli.config[name].as_dict())
    )
    flag = ("--model.encoder_args.row_width", "6")
    with pytest.warns(FutureWarning) as warned:
        assert im2tex("fit", "--config", config(tmp_path, TINY), *flag) == 0
    assert found["model"]["encoder_args"]["row_hidden_size"] == 6
    assert "row_width" not in found["model"]["encoder_args"]
    assert len([one for one in warned if "row_width" in str(one.message)]) == 1


def test_warning_of_the_command_is_one_line(tmp_path):
    arguments = ("fit", "--config", config(tmp_path, TINY), "--data.workers=0", "--print_config")
    done = subprocess.run(
        [sys.executable, "-m", "im2tex", *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines() == [
        "im2tex: warning: --data.workers: data.workers is the name of an older version; write "
        "data.num_workers."
    ]


@pytest.mark.parametrize(
    ("model", "data"), [("hyper_parameters", "datamodule_hyper_parameters"), ("model", "data")]
)
def test_stored_settings_are_renamed_in_place_without_a_warning(table, model, data):
    content = {
        model: {"decoder": "pen", "decoder_args": {"old_width": 3, "side": "left"}, "seed": 1},
        data: {"old_workers": 3},
        "else": {"old_workers": 3},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rename_settings(content)
        rename_settings(content)  # a second time changes nothing
    assert content == {
        model: {"decoder": "pen", "decoder_args": {"width": 3, "side": "left_to_right"}, "seed": 1},
        data: {"num_workers": 3},
        "else": {"old_workers": 3},
    }


# ---------------------------------------------------------------- the table itself


def parameters(path):
    """Names of the settings in a group, such as those of `data`."""
    owners = {
        "data": FormulaDataModule,
        "data.augmentation": Augmentation,
        "model": Im2Tex,
        "model.preprocessing": Preprocessing,
    }
    return inspect.signature(owners[path]).parameters


@pytest.mark.parametrize(("old", "new"), renames.SETTINGS.items())
def test_renamed_setting_is_a_parameter_under_its_new_name(old, new):
    group, _, name = new.rpartition(".")
    assert name in parameters(group)
    assert old.rpartition(".")[2] not in parameters(old.rpartition(".")[0])


@pytest.mark.parametrize(
    ("owner", "old", "new"),
    [(owner, *names) for owner, table in renames.ARGUMENTS.items() for names in table.items()],
)
def test_renamed_argument_is_a_parameter_under_its_new_name(owner, old, new):
    registries = {"schedule": SCHEDULES, "optimizer": OPTIMIZERS, "source": SOURCES}
    registries |= {"encoder": ENCODERS, "decoder": DECODERS, "attention": ATTENTIONS}
    kind, name = owner
    assert new in registries[kind].parameters(name)
    assert old not in registries[kind].parameters(name)


@pytest.mark.parametrize("name", ["cosine", "plateau"])
def test_schedule_old_floor_builds_with_warning(name):
    with pytest.warns(FutureWarning, match="floor is the name of an older version; write min_lr"):
        SCHEDULES.build(name, {"floor": 0.5})


COMPONENTS = {"encoder": ENCODERS, "attention": ATTENTIONS, "decoder": DECODERS}


@pytest.mark.parametrize(
    ("kind", "name", "old", "new"),
    [
        (kind, name, old, new)
        for (kind, name), names in renames.ARGUMENTS.items()
        if kind in COMPONENTS
        for old, new in names.items()
    ],
)
def test_component_old_argument_is_accepted_with_warning(kind, name, old, new):
    registry = COMPONENTS[kind]
    default = registry.parameters(name)[new].default
    value = 7 if default is None else default
    with pytest.warns(FutureWarning, match=f"{old} is the name of an older version; write {new}"):
        assert registry.check(name, {old: value}) == {new: value}


def test_transformer_old_direction_is_accepted_with_warning():
    with pytest.warns(FutureWarning, match="write directions=left_to_right"):
        checked = DECODERS.check("transformer", {"directions": "left"})
    assert checked == {"directions": "left_to_right"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("idle", "inactive_when"),
        ("by_token", "vocabulary_parameters"),
        ("grounded", "alignment_losses"),
    ],
)
def test_plugin_attribute_old_name_is_accepted_with_warning(old, new):
    plugin = type("Plugin", (Decoder,), {old: ("value",)})
    with pytest.warns(FutureWarning, match=f"Plugin: {old} .* write {new}"):
        assert renames.component_attribute(plugin, new, old) == ("value",)
