"""The help of every command, and the commands in documents."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from im2tex.cli import COMMANDS, TRAINER_COMMANDS, command_function, main
from im2tex.commands.command_parser import RENAMED_OPTIONS, command_parser, parse_command
from im2tex.commands.trainer.early_checks import is_known_flag

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "results/*.md", "configs/*.yaml")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_describes_command_and_options(name):
    parser = command_parser(name, command_function(name))
    assert len(parser.description) > 40
    assert [action.dest for action in parser._actions if not action.help] == []
    assert "Args:" not in parser.format_help()
    assert "None" not in parser.format_help()


def test_modules_of_commands_import_no_heavy_packages():
    modules = {f"im2tex.commands.{name.split()[-1]}" for name in COMMANDS}
    script = (
        f"import sys, {', '.join(sorted(modules))}\n"
        "print(*{'torch', 'lightning', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", [*COMMANDS, "data", "report"])
def test_help_of_command_is_printed(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*name.split(), "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: im2tex {name} ")


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [(name, old, new) for name, options in RENAMED_OPTIONS.items() for old, new in options.items()],
)
def test_old_name_of_option_is_accepted_and_reported(command, old, new, capsys):
    parser = command_parser(command, command_function(command))
    (action,) = [action for action in parser._actions if new in action.option_strings]
    arguments = {
        "chain": ["a.yaml", "--out", "out"],
        "compare": ["a", "b"],
        "data glyphs": ["--out", "out"],
        "export": ["--ckpt_path", "a", "--out", "out"],
        "normalize": [],
        "render": ["a", "out"],
    }[command]
    value = [] if action.nargs == 0 else ["1"]
    values = parse_command(command, command_function(command), [*arguments, old, *value])
    assert action.dest in values
    assert f"{old} is the name of an older version; write {new}." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "a", "b", "--metrcs", "x"], "did you mean --metrics? See `im2tex compare"),
        (["score"], "the following arguments are required: --predictions, --references"),
        (["data"], "the following arguments are required: ACTION"),
        (["data", "prepar"], "'prepar'"),
        (["compare", "a", "b", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["compare", "a", "b", "--seed", "-1"], "--seed must be >= 0, got -1."),
        (["render", "a"], "the following arguments are required: FOLDER"),
    ],
)
def test_wrong_command_line_is_one_line_with_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("im2tex: error: ")
    assert message in line


def documented():
    """The words of every command in documents and headers of configurations."""
    pages = (path for pattern in PAGES for path in ROOT.glob(pattern))
    for path in pages:
        text = path.read_text(encoding="utf-8").replace("\\\n#", "").replace("\\\n", "")
        pattern = r"^#   (im2tex .*)" if path.suffix == ".yaml" else r"^(?:.*&& )?(im2tex .*)"
        blocks = [text] if path.suffix == ".yaml" else re.findall(r"```bash\n(.*?)```", text, re.S)
        for block in blocks:
            for line in re.findall(pattern, block, re.MULTILINE):
                yield pytest.param(shlex.split(line)[1:], id=f"{path.name}: {line}")


@pytest.mark.parametrize("words", list(documented()))
def test_documented_command_has_known_options(words, capsys):
    assert all((ROOT / word).is_file() for word in words if word.startswith("configs/"))
    if words[0] not in TRAINER_COMMANDS:
        name = words[0] if words[0] in COMMANDS else " ".join(words[:2])
        parse_command(name, command_function(name), words[len(name.split()) :])
        assert capsys.readouterr().err == ""  # no old names
        return
    # LightningCLI checks values when it runs: only the names are checked here.
    flags = [word for word in words if word.startswith("--")]
    assert flags
    assert [flag for flag in flags if not is_known_flag(flag)] == []
