"""Errors of `fit`, `test` and others that are found before torch is imported."""

import subprocess
import sys

import pytest
from flag_list import current_flags
from tiny_run import TINY, config, im2tex

from im2tex.commands.trainer.cli import FormulaCLI
from im2tex.commands.trainer.early_checks import check_early, is_known_flag, known_flags
from im2tex.errors import Im2TexError

COMMANDS = ("fit", "validate", "test", "predict")


def test_list_of_flags_is_current():
    assert sorted(known_flags()) == current_flags(), "run python tests/flag_list.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_list_of_flags_covers_lightning_parser(command, monkeypatch):
    found = []

    def record(cli, parser, args):
        found.extend(cli._subcommand_parsers[command]._actions)
        raise KeyboardInterrupt

    monkeypatch.setattr(FormulaCLI, "parse_arguments", record)
    with pytest.raises(KeyboardInterrupt):
        FormulaCLI(command, [])
    flags = [flag for action in found for flag in action.option_strings if flag.startswith("--")]
    assert len(flags) > 50
    assert [flag for flag in flags if not is_known_flag(flag)] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["test"], "im2tex test needs a trained model: pass --ckpt_path"),
        (["predict", "--data.source", "crohme"], "im2tex predict needs a trained model"),
        (["fit", "--model.encodr", "cnn"], "--model.encodr; did you mean --model.encoder?"),
        (["fit", "--trainer.max_epoch=3"], "did you mean --trainer.max_epochs?"),
        (["test", "--nothing_like_it"], "unrecognized arguments: --nothing_like_it."),
        (["fit", "--config", "missing.yaml"], "missing.yaml"),
        (["test", "--ckpt_path", "missing.ckpt"], "there is no checkpoint missing.ckpt"),
        (["read", "missing.png"], "missing.png"),
        (["read", "a.png", "--model", "nothing"], "there is no model 'nothing'"),
    ],
)
def test_early_error_needs_no_torch(arguments, message, tmp_path):
    script = (
        "import sys; from im2tex.cli import main; status = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules and 'lightning' not in sys.modules; sys.exit(status)"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if arguments == ["read", "missing.png"] else 2)


@pytest.mark.parametrize(
    "flag",
    [
        "--model.encoder_args.channels=[4]",
        "--data.source_args",
        "--trainer.callbacks+=AttentionImages",
        "--trainer.logger.init_args.project",
        "--trainer.callbacks.every",
        "--model",
        "--print_config",
        "--print_config=skip_null",
        "--trainer.logger.help",
    ],
)
def test_flag_of_a_nested_value_is_left_to_the_parser(flag):
    check_early("fit", [flag])


def test_checkpoint_of_a_configuration_is_found(tmp_path, checkpoint):
    path = config(tmp_path, {**TINY, "ckpt_path": str(checkpoint)})
    check_early("test", ["--config", str(path)])
    path = config(tmp_path, {**TINY, "ckpt_path": "elsewhere.ckpt"})
    with pytest.raises(Im2TexError, match=r"there is no checkpoint elsewhere\.ckpt"):
        check_early("test", ["--config", str(path)])


def test_fit_resume_from_model_folder_is_refused(capsys):
    assert im2tex("fit", "--ckpt_path", "handwritten_small") == 2
    assert "pass --model.init_from handwritten_small" in capsys.readouterr().err
