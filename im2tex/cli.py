"""The command `im2tex`: finds the function of a command and calls it.

A command's module is imported when the command is used, and torch when the command does its work,
so that help and errors of the command line come at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from im2tex.errors import Im2TexError
from im2tex.utils.output import discard_if_unread
from im2tex.utils.stopping import StoppedBySignal
from im2tex.utils.thread_waiting import set_brief_waiting
from im2tex.utils.untrusted_text import strip_control

TRAINER_COMMANDS = {
    "fit": "train a model, from scratch or from a checkpoint",
    "validate": "measure a checkpoint on the validation split",
    "test": "measure a checkpoint on the test splits and print the table",
    "predict": "write the predictions for a data set as JSON lines; for a few images, use `read`",
}
"""Help texts of the commands of LightningCLI."""

COMMANDS = {
    "data prepare": "read the raw data of a source into Parquet files",
    "data glyphs": "make a bank of handwritten symbols for synthetic data",
    "data pack": "pack prepared data into one file for another machine",
    "data show": "draw samples of prepared splits on one sheet",
    "components": "list what can be chosen by name, with arguments",
    "normalize": "bring formulas to a normal form, line by line",
    "render": "draw a file of formulas, one image per line",
    "read": "print the LaTeX of images; for a whole data set, use `predict`",
    "export": "write the model of a checkpoint as a small folder",
    "score": "score predictions of any system in the table of `im2tex test`",
    "compare": "compare results on the same samples, with significance",
    "report attention": "show the attention at each token, in HTML",
    "report study": "print the results of a folder as one table",
    "chain": "train several configurations in a row, then test",
    "ngram": "measure the perplexity of formulas under an n-gram model",
}
"""Help texts of the other commands; the last word of a command names its module and function."""

_GROUPS = {"data": "prepare and inspect data sets", "report": "write reports on models and results"}


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        args: the words after `im2tex`; those of the process by default.

    Returns:
        The exit status: 0; 1 if a command counts failures and there are some, or if the loss of a
        fit diverged; 2 after an `Im2TexError`, whose message has been printed; 143 after SIGTERM,
        130 after Ctrl-C, 141 if the reader of the output has gone, as after `| head`.
    """
    set_brief_waiting()
    try:
        try:
            return _run_or_report(list(sys.argv[1:] if args is None else args))
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        if not discard_if_unread(sys.stdout, sys.stderr):
            raise
        return 128 + signal.SIGPIPE


def _run_or_report(args: list[str]) -> int:
    """Runs a command, and prints the message of an error."""
    try:
        return _run(args)
    except Im2TexError as error:
        message = strip_control(error, keep="\n")  # may quote untrusted text
        print(f"im2tex: error: {message}", file=sys.stderr)
        return error.status
    except StoppedBySignal as stop:
        if str(stop):
            print(f"im2tex: {stop}", file=sys.stderr)
        return stop.status
    except KeyboardInterrupt:
        print("im2tex: interrupted", file=sys.stderr)
        return 130


def command_function(name: str) -> Callable[..., int | None]:
    """The function of one of `COMMANDS`; it returns the number of failures, if it counts them."""
    word = name.rsplit(maxsplit=1)[-1]
    function: Callable[..., int | None] = getattr(import_module(f"im2tex.commands.{word}"), word)
    return function


def _run(args: list[str]) -> int:
    if args and args[0] in TRAINER_COMMANDS:
        from im2tex.commands.trainer.early_checks import check_early

        check_early(args[0], args[1:])
        from im2tex.commands.trainer.run import run

        run(args[0], args[1:])
        return 0
    for words in (1, 2):
        name = " ".join(args[:words])
        if name in COMMANDS:
            from im2tex.commands.command_parser import parse_command

            function = command_function(name)
            failures = function(**parse_command(name, function, args[words:]))
            return 1 if failures else 0
    _print_help(args)
    return 0


def _print_help(args: list[str]) -> None:
    """Answers command lines that name no command: help, version, mistakes.

    Raises:
        Im2TexError: if there is no such command.
    """
    from im2tex.commands.command_parser import Parser
    from im2tex.utils.version import __version__

    parser = Parser(
        prog="im2tex",
        description="Converts images of formulas, handwritten or printed, to LaTeX.",
        epilog="`im2tex COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action="version", version=f"im2tex {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    actions = {}
    for name, text in (TRAINER_COMMANDS | COMMANDS).items():
        group, _, action = name.partition(" ")
        if not action:
            commands.add_parser(name, help=text)
            continue
        if group not in actions:
            purpose = _GROUPS[group]
            below = commands.add_parser(group, help=purpose, description=f"{purpose.capitalize()}.")
            actions[group] = below.add_subparsers(required=True, metavar="ACTION")
        actions[group].add_parser(action, help=text)
    if args:
        parser.parse_args(args)
    else:
        parser.print_help()
