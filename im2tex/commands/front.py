"""The options of im2tex's own commands, in one light file.

Help and wrong options are answered from here; what a command does is imported when it runs, for
torch alone takes seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError

_Commands = Any  # argparse's private type of a group of subcommands


PASSES_ON = frozenset(["chain"])
"""Commands that hand what follows `--` on to another, as `flags`."""


class Parser(argparse.ArgumentParser):
    """Reports what is wrong as our own error, without a dump of the usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raises it.

        Raises:
            Im2TexError: always.
        """
        raise Im2TexError(f"{message}. See `{self.prog} --help`.")


def add_commands(commands: _Commands) -> None:
    """Adds every command; each one's parser has the function that runs it as `run`.

    That function gives the exit status: 0, or 1 where a command counts failures and there were
    some.
    """
    data = commands.add_parser("data", help="prepare data sets")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    _prepare(actions)
    _glyphs(actions)
    for add in (
        _components,
        _normalize,
        _render,
        _read,
        _export,
        _score,
        _compare,
        _report,
        _chain,
        _ngram,
    ):
        add(commands)


def _prepare(actions: _Commands) -> None:
    parser = actions.add_parser("prepare", help="read a source's raw data into a store")
    parser.add_argument("source", help="a source, see `im2tex components sources`")
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="PATH_OR_URL",
        help="the raw data: a folder, an archive or a URL",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="labels to use instead of the data's own"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="C.yaml",
        help="take the source's settings from a configuration (its data.source_args)",
    )
    parser.add_argument(
        "--source_args",
        metavar="'{NAME: VALUE}'",
        help="settings of the source, see `im2tex components sources`",
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.prepare import prepare  # noqa: PLC0415

        source_args = given.config, given.source_args
        print(prepare(given.source, given.root, given.origin, given.labels, *source_args))
        return 0

    parser.set_defaults(run=run)


def _glyphs(actions: _Commands) -> None:
    parser = actions.add_parser(
        "glyphs",
        help="make a bank of handwritten symbols, to compose handwriting from",
        description="Takes symbols out of Detexify's samples and CROHME's training inks, filters"
        " them, and says which symbols of the prepared stores they cover. What there is no data"
        " for is drawn in the built-in font.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the bank, such as glyphs.parquet"
    )
    parser.add_argument(
        "--detexify",
        type=Path,
        metavar="PATH",
        help="Detexify's samples: the published dump, a CSV or JSON lines of it, or the folder"
        " that holds it (default: detexify/ in the folder that IM2TEX_DATA names)",
    )
    parser.add_argument(
        "--crohme",
        type=Path,
        metavar="ROOT",
        help="folder of the stores that CROHME's is in (default: --root)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("data"),
        help="folder of the stores whose training formulas say what is needed (default: data)",
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="draw samples of every symbol to look at"
    )
    parser.add_argument(
        "--left_out", type=Path, metavar="FILE.png", help="draw what the filter left out"
    )
    parser.add_argument(
        "--all", action="store_true", help="list every symbol, not only those without drawings"
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.glyphs import glyphs  # noqa: PLC0415

        for line in glyphs(
            given.out,
            detexify_path=given.detexify,
            crohme_root=given.crohme,
            root=given.root,
            sheet=given.sheet,
            left_out_sheet=given.left_out,
            every=given.all,
        ):
            print(line, flush=True)
        return 0

    parser.set_defaults(run=run)


def _components(commands: _Commands) -> None:
    parser = commands.add_parser(
        "components", help="what can be chosen by name, with the arguments each accepts"
    )
    parser.add_argument("kind", nargs="?", help="one kind only, such as encoders or sources")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.components import describe  # noqa: PLC0415

        print(describe(given.kind))
        return 0

    parser.set_defaults(run=run)


def _normalize(commands: _Commands) -> None:
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


def _render(commands: _Commands) -> None:
    parser = commands.add_parser("render", help="draw a file of formulas, a picture a line")
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


def _read(commands: _Commands) -> None:
    parser = commands.add_parser(
        "read",
        help="pictures of formulas to LaTeX, with a trained model",
        description="Prints the LaTeX of each picture: dark on light or light on dark, one formula"
        " a picture. Several pictures: a line each, after the file's name.",
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a picture or an InkML file; - for a picture on standard input",
    )
    parser.add_argument(
        "--model",
        default="handwritten_small",
        help="a model of the package, or a folder made by `im2tex export` (default: %(default)s)",
    )
    parser.add_argument("--beam_size", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--n_best", type=int, default=1, help="readings to print of each picture")
    parser.add_argument("--json", action="store_true", help="a JSON object a picture, with scores")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.read import read  # noqa: PLC0415

        failed = read(
            given.images,
            model=given.model,
            beam_size=given.beam_size,
            n_best=given.n_best,
            as_json=given.json,
        )
        return 1 if failed else 0

    parser.set_defaults(run=run)


def _export(commands: _Commands) -> None:
    parser = commands.add_parser(
        "export",
        help="a checkpoint's model as a small folder, for `im2tex read`",
        description="Writes settings, weights in half precision, a model card and a licence.",
    )
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="CKPT")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--result",
        type=Path,
        action="append",
        default=[],
        metavar="JSON",
        help="result of a test of it, for the card; may be given again",
    )
    parser.add_argument(
        "--trained_on",
        action="append",
        default=[],
        metavar="TEXT",
        help="further data it was trained on, with their licence, such as those of a pretraining",
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.export import export  # noqa: PLC0415

        print(export(given.ckpt_path, given.out, given.result, given.trained_on))
        return 0

    parser.set_defaults(run=run)


def _score(commands: _Commands) -> None:
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


def _compare(commands: _Commands) -> None:
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


def _report(commands: _Commands) -> None:
    parser = commands.add_parser("report", help="pages to look at: where a model looks")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _attention(actions)


def _attention(actions: _Commands) -> None:
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


def _chain(commands: _Commands) -> None:
    parser = commands.add_parser(
        "chain",
        help="trainings in a row, each from the one before, then a test",
        description="Fits each configuration from the best checkpoint of the one before, and tests"
        " the last. Repeated after an interruption, it goes on where it stopped. What follows"
        " after -- are flags of `im2tex fit` for every step.",
    )
    parser.add_argument(
        "steps",
        nargs="+",
        metavar="CONFIG",
        help="a configuration; with flags of its own in quotes: 'C.yaml --trainer.max_epochs 4'",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--name", default="", help="name of the result (default: the folder's)")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.chain import chain  # noqa: PLC0415

        chain(given.steps, given.out, flags=given.flags, name=given.name)
        return 0

    parser.set_defaults(run=run)


def _ngram(commands: _Commands) -> None:
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
