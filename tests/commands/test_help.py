"""Every command says what it does, every option what it is, and documents name what there is."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from im2tex.cli import _parser

ROOT = Path(__file__).parents[2]


def commands(parser, name="im2tex"):
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one, below in action.choices.items():
                yield from commands(below, f"{name} {one}")


def test_every_option_is_described():
    bare = [
        f"{name} {action.dest}"
        for name, parser in commands(_parser())
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction) and not action.help
    ]
    assert not bare


def test_every_command_with_options_of_its_own_says_what_it_does():
    # Those of Lightning answer for themselves, and a group's help is its list of commands.
    own = {
        name: parser
        for name, parser in commands(_parser())
        if parser.add_help and not parser._subparsers
    }
    assert "im2tex data prepare" in own
    assert not [name for name, parser in own.items() if not parser.description]


def documented():
    """The commands, as words, that documents and the headers of configurations give."""
    for path in (*ROOT.glob("*.md"), *ROOT.glob("results/*.md"), *ROOT.glob("configs/*.yaml")):
        text = path.read_text(encoding="utf-8").replace("\\\n#", "").replace("\\\n", "")
        pattern = r"^#   (im2tex .*)" if path.suffix == ".yaml" else r"^(?:.*&& )?(im2tex .*)"
        blocks = [text] if path.suffix == ".yaml" else re.findall(r"```bash\n(.*?)```", text, re.S)
        for block in blocks:
            for line in re.findall(pattern, block, re.MULTILINE):
                yield pytest.param(shlex.split(line)[1:], id=f"{path.name}: {line}")


@pytest.mark.parametrize("words", documented())
def test_a_documented_command_is_one(words):
    command, *rest = words
    assert all((ROOT / word).is_file() for word in rest if word.startswith("configs/"))
    if command not in ("fit", "validate", "test", "predict"):
        _parser().parse_args(words)
        return
    # What the flags accept, Lightning's parser says when it is used: here, that they have a name.
    groups = ("model.", "data.", "trainer.", "checkpoint.", "report.", "predictions.")
    names = [one.removeprefix("--").partition("=")[0] for one in rest if one.startswith("--")]
    assert names
    for name in names:
        assert name in ("config", "ckpt_path", "ema") or name.startswith(groups), name
