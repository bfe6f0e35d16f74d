"""The command `im2tex`: a light front, so that help and errors come at once.

Lightning and torch are imported only by the commands that need them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex import __version__
from im2tex.errors import Im2TexError

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
        The exit status: 0; 1 where a command counts failures and there were some; 2 after an
        error that a person can put right, whose message has then been printed.
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        if given and given[0] in _TRAINER_COMMANDS:
            from im2tex.commands.trainer import run  # noqa: PLC0415 - imports torch

            run(given)
            return 0
        return _own(given)
    except Im2TexError as error:
        print(f"im2tex: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("im2tex: interrupted", file=sys.stderr)
        return 130


def _own(given: list[str]) -> int:
    parser = _parser()
    if not given:
        parser.print_help()
        return 0
    options = parser.parse_args(given)
    if options.command == "components":
        from im2tex.commands.components import describe  # noqa: PLC0415

        print(describe(options.kind))
    elif options.command == "data":
        from im2tex.commands.prepare import prepare  # noqa: PLC0415

        print(prepare(options.source, options.root, options.origin, options.labels))
    elif options.command == "render":
        from im2tex.commands.render import render  # noqa: PLC0415

        failed = render(
            options.formulas,
            options.folder,
            engine=options.engine,
            dpi=options.dpi,
            workers=options.workers,
            cache=options.cache,
            use_cache=not options.no_cache,
        )
        return 1 if failed else 0
    elif options.command == "normalize":
        from im2tex.commands.normalize import normalize_stream  # noqa: PLC0415

        normalize_stream(options.mode)
    return 0


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong as our own error, without a dump of the usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise Im2TexError(f"{message}. See `{self.prog} --help`.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="im2tex",
        description="Pictures of formulas, above all handwritten ones, into LaTeX.",
    )
    parser.add_argument("--version", action="version", version=f"im2tex {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, purpose in _TRAINER_COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    data = commands.add_parser("data", help="prepare data sets")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    prepare = actions.add_parser("prepare", help="read a source's raw data into a store")
    prepare.add_argument("source", help="a source, see `im2tex components sources`")
    prepare.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    prepare.add_argument(
        "--from",
        dest="origin",
        metavar="PATH_OR_URL",
        help="the raw data: a folder, an archive or a URL",
    )
    prepare.add_argument(
        "--labels", type=Path, metavar="FILE", help="labels to use instead of the data's own"
    )
    components = commands.add_parser(
        "components", help="what can be chosen by name, with the arguments each accepts"
    )
    components.add_argument("kind", nargs="?", help="one kind only, such as encoders or sources")
    normalize = commands.add_parser(
        "normalize",
        help="formulas from standard input in one form, line for line",
        description="Reads a formula a line, writes its tokens a line: an empty line for a formula"
        " that cannot be parsed. How many those were is said on standard error.",
    )
    normalize.add_argument(
        "--mode",
        default="norm",
        help="norm: the IM2LATEX paper's normal form (default); tok: its plain token stream;"
        " crohme: the form of CROHME's labels",
    )
    _add_render(commands.add_parser("render", help="draw a file of formulas, a picture a line"))
    return parser


def _add_render(render: argparse.ArgumentParser) -> None:
    render.add_argument("formulas", type=Path, metavar="FORMULAS.txt", help="a formula a line")
    render.add_argument(
        "folder", type=Path, metavar="OUT/", help="folder for NNNNNN.png and report.jsonl"
    )
    render.add_argument(
        "--engine",
        default="tex",
        help="tex: LaTeX (default); builtin: needs none, and draws less",
    )
    render.add_argument("--dpi", type=int, default=200, help="pixels an inch (default: 200)")
    render.add_argument("--workers", type=int, help="batches at a time (default: one a core)")
    render.add_argument(
        "--cache", type=Path, metavar="FILE", help="pictures kept between runs (default: ~/.cache)"
    )
    render.add_argument("--no-cache", action="store_true", help="draw everything anew")
