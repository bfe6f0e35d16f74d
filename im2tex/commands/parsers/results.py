"""Options of what measures and shows results."""

from __future__ import annotations

import argparse
from pathlib import Path

from im2tex.commands.parsers.parser import Commands


def score(commands: Commands) -> None:
    """`im2tex score`."""
    parser = commands.add_parser(
        "score",
        help="anyone's predictions in the table of `im2tex test`",
        description="Scores formulas against references. Files are JSON lines (what predict, test"
        " and most others write), JSON, TSV (key, tab, formula) or a formula a line; they are"
        " paired by key, without keys line by line. A missing prediction counts as wrong.",
    )
    parser.add_argument("--predictions", required=True, metavar="FILE", help="what is scored")
    parser.add_argument(
        "--references",
        required=True,
        metavar="FILE_OR_SPLIT",
        help="what is right: a file, or a prepared split such as crohme:test_2014",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    parser.add_argument(
        "--engine",
        default="auto",
        help="what draws the pictures: tex, builtin (needs no TeX, draws less), none; auto"
        " (default) is the first that is installed",
    )
    parser.add_argument(
        "--form",
        default="given",
        help="bring both sides to a form of `im2tex normalize` first: norm, tok or crohme; given"
        " (default) leaves them as they are",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER/NAME", help="write result, breakdown and samples"
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.score import score  # noqa: PLC0415

        score(
            given.predictions,
            given.references,
            root=given.root,
            engine=given.engine,
            form=given.form,
            out=given.out,
        )
        return 0

    parser.set_defaults(run=run)


def compare(commands: Commands) -> None:
    """`im2tex compare`."""
    parser = commands.add_parser(
        "compare",
        help="which of two results is better on the same samples, how surely, and where",
        description="Sets results of `im2tex test` or `im2tex score` side by side, sample by"
        " sample: the figures of each verdict, their difference with a paired bootstrap interval,"
        " McNemar's exact test, and the samples that only one has right.",
    )
    result = "a result NAME.json, a run's folder, or a file NAME.SPLIT.samples.jsonl"
    parser.add_argument("first", type=Path, metavar="A", help=result)
    parser.add_argument(
        "others", type=Path, nargs="+", metavar="B", help="another; each is compared with A"
    )
    parser.add_argument(
        "--verdict",
        action="append",
        default=[],
        metavar="NAME",
        help="compare by this one only; may be given again. The first yes-or-no one decides who is"
        " right in the list of samples (default: all verdicts)",
    )
    parser.add_argument(
        "--show",
        type=int,
        default=10,
        metavar="N",
        help="how many samples to list that only one has right (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write every sample read or judged differently: .jsonl or .md",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--resamples",
        type=int,
        default=10_000,
        metavar="N",
        help="how often the bootstrap draws (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of its draws (default: %(default)s)"
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.compare import compare  # noqa: PLC0415

        compare(
            given.first,
            given.others,
            verdicts=given.verdict,
            show=given.show,
            out=given.out,
            as_json=given.json,
            resamples=given.resamples,
            seed=given.seed,
        )
        return 0

    parser.set_defaults(run=run)


def report(commands: Commands) -> None:
    """`im2tex report`: attention and study."""
    parser = commands.add_parser(
        "report", help="pages to look at: where a model looks, what a study found"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _attention(actions)
    _study(actions)


def _attention(actions: Commands) -> None:
    parser = actions.add_parser(
        "attention",
        help="where a model looks at each token, as a page for a browser",
        description="Reads pictures and writes one HTML file, which fetches nothing: point at or"
        " step through the tokens, and what the model looked at lights up. --strip draws the same"
        " as pictures for a paper.",
    )
    parser.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="IMAGE",
        help="pictures or InkML files; - for a picture on standard input",
    )
    parser.add_argument(
        "--split",
        default="",
        metavar="SOURCE:SPLIT",
        help="instead: samples of a prepared split, such as crohme:test_2014; with --ckpt_path"
        " SPLIT alone is one of its own data",
    )
    parser.add_argument(
        "--keys", nargs="+", default=[], metavar="KEY", help="which samples (default: the first)"
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=8,
        metavar="N",
        help="how many, without --keys (default: %(default)s)",
    )
    parser.add_argument("--ckpt_path", type=Path, metavar="CKPT", help="a checkpoint to read with")
    parser.add_argument(
        "--model",
        default="handwritten_small",
        help="without one: a model of the package, or a folder made by `im2tex export` (default:"
        " %(default)s)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        help="folder of the stores (default: the checkpoint's, else data)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("attention.html"),
        metavar="FILE.html",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--strip", type=Path, metavar="FOLDER", help="also a PNG of each, a panel a token"
    )
    parser.add_argument(
        "--strip_width",
        type=int,
        default=1600,
        metavar="PIXELS",
        help="default: %(default)s",
    )
    parser.add_argument("--beam_size", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--engine",
        default="auto",
        help="what prints the readings: tex, builtin, none; auto (default) is the first that is"
        " installed",
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.attention import attention  # noqa: PLC0415

        failed = attention(
            images=given.images,
            split=given.split,
            keys=given.keys,
            limit=given.limit,
            ckpt_path=given.ckpt_path,
            model=given.model,
            root=given.root,
            out=given.out,
            strip=given.strip,
            strip_width=given.strip_width,
            beam_size=given.beam_size,
            engine=given.engine,
        )
        return 1 if failed else 0

    parser.set_defaults(run=run)


def _study(actions: Commands) -> None:
    parser = actions.add_parser(
        "study",
        help="the results of a folder as one table",
        description="Prints the results of a study's folder in Markdown: a table a split, runs that"
        " differ by their seed put together, published figures below, and how each run was made.",
    )
    parser.add_argument("folder", type=Path, help="of results, such as results/transfer")
    parser.add_argument(
        "--metrics", nargs="+", default=[], metavar="NAME", help="the columns (default: the usual)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write it there instead")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.study import study  # noqa: PLC0415

        study(given.folder, metrics=given.metrics, out=given.out)
        return 0

    parser.set_defaults(run=run)
