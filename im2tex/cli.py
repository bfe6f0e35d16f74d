"""The command `im2tex`: a light front, so that help and errors come at once.

Lightning and torch are imported only by the commands that need them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from im2tex.commands.parsers import PASSES_ON, Parser, add_commands
from im2tex.commands.trainer.early_checks import check_early
from im2tex.errors import Im2TexError
from im2tex.utils.stopping import StoppedBySignal
from im2tex.utils.untrusted_text import strip_control
from im2tex.utils.version import __version__

_TRAINER_COMMANDS = {
    "fit": "train a model, from scratch or from a checkpoint",
    "validate": "measure a checkpoint on the split held out of training",
    "test": "measure a checkpoint on the test splits and print the table",
    "predict": "read a split or a folder and write JSON lines",
}


def main(args: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        args: what stands after `im2tex`; the process's own arguments if not given.

    Returns:
        The exit status: 0; 1 where a command counts failures and there were some, or a fit lost
        its way; 2 after an error that a person can put right, whose message has then been
        printed; 143 if SIGTERM ended it before its end, 130 if Ctrl-C did.
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        if given and given[0] in _TRAINER_COMMANDS:
            check_early(given[0], given[1:])
            from im2tex.commands.trainer.cli import run  # noqa: PLC0415 - imports torch

            run(given)
            return 0
        parser = _parser()
        if not given:
            parser.print_help()
            return 0
        # To argparse what follows -- are names; to a chain they are flags of another command.
        passes_on = given[0] in PASSES_ON and "--" in given
        cut = given.index("--") if passes_on else len(given)
        options = parser.parse_args(given[:cut])
        options.flags = given[cut + 1 :]
        status: int = options.run(options)
        return status
    except Im2TexError as error:
        said = strip_control(error, keep="\n")  # a value in it can be anybody's
        print(f"im2tex: error: {said}", file=sys.stderr)
        return error.status
    except StoppedBySignal as stop:
        if str(stop):
            print(f"im2tex: {stop}", file=sys.stderr)
        return stop.status
    except KeyboardInterrupt:
        print("im2tex: interrupted", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(
        prog="im2tex",
        description="Pictures of formulas, above all handwritten ones, into LaTeX.",
    )
    parser.add_argument("--version", action="version", version=f"im2tex {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, purpose in _TRAINER_COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    add_commands(commands)
    return parser
