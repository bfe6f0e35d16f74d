"""Options of what works on formulas alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from im2tex.commands.parsers.parser import Commands


def normalize(commands: Commands) -> None:
    """`im2tex normalize`."""
    parser = commands.add_parser(
        "normalize",
        help="formulas from standard input in one form, line for line",
        description="Reads a formula a line, writes its tokens a line: an empty line for a formula"
        " that cannot be parsed. How many those were is said on standard error.",
    )
    parser.add_argument(
        "--mode",
        default="norm",
        help="norm: the IM2LATEX paper's normal form (default); tok: its plain token stream;"
        " crohme: the form of CROHME's labels",
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.normalize import normalize_stream  # noqa: PLC0415

        normalize_stream(given.mode)
        return 0

    parser.set_defaults(run=run)


def render(commands: Commands) -> None:
    """`im2tex render`."""
    parser = commands.add_parser(
        "render",
        help="draw a file of formulas, a picture a line",
        description="Draws each line of a file as a PNG named by the line's number, from 0, and"
        " says in report.jsonl how each went. Exits with 1 if any could not be drawn.",
    )
    parser.add_argument("formulas", type=Path, metavar="FORMULAS.txt", help="a formula a line")
    parser.add_argument(
        "folder", type=Path, metavar="OUT/", help="folder for NNNNNN.png and report.jsonl"
    )
    parser.add_argument(
        "--engine",
        default="tex",
        help="tex: LaTeX (default); builtin: needs none, and draws less",
    )
    parser.add_argument("--dpi", type=int, default=200, help="pixels an inch (default: 200)")
    parser.add_argument("--workers", type=int, help="batches at a time (default: one a core)")
    parser.add_argument(
        "--cache", type=Path, metavar="FILE", help="pictures kept between runs (default: ~/.cache)"
    )
    parser.add_argument("--no-cache", action="store_true", help="draw everything anew")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.render import render  # noqa: PLC0415

        failed = render(
            given.formulas,
            given.folder,
            engine=given.engine,
            dpi=given.dpi,
            workers=given.workers,
            cache=given.cache,
            use_cache=not given.no_cache,
        )
        return 1 if failed else 0

    parser.set_defaults(run=run)


def ngram(commands: Commands) -> None:
    """`im2tex ngram`."""
    parser = commands.add_parser(
        "ngram",
        help="perplexity of formulas under an n-gram model, without any picture",
        description="Counts n-grams in formulas, smooths them by Kneser and Ney's method, and"
        " prints the perplexity per token of these and other formulas, as `im2tex test` gives it"
        " of a model.",
    )
    where = "a prepared split such as crohme:train, or a file as `im2tex score` reads them"
    parser.add_argument("--train", required=True, metavar="SPLIT_OR_FILE", help=where)
    parser.add_argument(
        "--test",
        action="append",
        default=[],
        metavar="SPLIT_OR_FILE",
        help="the same, to be measured too; may be given again",
    )
    parser.add_argument(
        "--order",
        type=int,
        default=5,
        metavar="N",
        help="the longest n-gram (default: %(default)s)",
    )
    parser.add_argument(
        "--min_count",
        type=int,
        default=1,
        metavar="N",
        help="tokens seen less often are <unk>, as by model.min_count (default: %(default)s)",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER/NAME", help="write the result")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.language import ngram  # noqa: PLC0415

        ngram(
            given.train,
            given.test,
            order=given.order,
            min_count=given.min_count,
            root=given.root,
            out=given.out,
        )
        return 0

    parser.set_defaults(run=run)
