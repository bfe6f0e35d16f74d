"""Every command says what it does, and every option what it is."""

import argparse

from im2tex.cli import _parser


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
