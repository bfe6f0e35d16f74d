"""Options of what works with models."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex.commands.parsers.parser import Commands
from im2tex.errors import Im2TexError
from im2tex.ink.images.files import read_file_bytes
from im2tex.model.folders import locate


def components(commands: Commands) -> None:
    """`im2tex components`."""
    parser = commands.add_parser(
        "components",
        help="what can be chosen by name, with the arguments each accepts",
        description="Lists encoders, attentions, decoders, sources, optimizers and schedules, those"
        " of installed packages too, with their arguments and what these are if not given.",
    )
    parser.add_argument("kind", nargs="?", help="one kind only, such as encoders or sources")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.components import describe  # noqa: PLC0415

        print(describe(given.kind))
        return 0

    parser.set_defaults(run=run)


def read(commands: Commands) -> None:
    """`im2tex read`."""
    parser = commands.add_parser(
        "read",
        help="pictures of formulas to LaTeX, with a trained model",
        description="Prints the LaTeX of each picture: dark on light or light on dark, one formula"
        " a picture. Several pictures: a line each, after the file's name. The weights of the"
        " package follow the licences of their training data: CC BY-NC-SA 3.0 (CROHME; not for"
        " commercial use) and ODbL 1.0 (Detexify).",
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a picture or an InkML file; - for either on standard input",
    )
    parser.add_argument(
        "--model",
        default="handwritten_small",
        help="a model of the package, or a folder made by `im2tex export` (default: %(default)s)",
    )
    parser.add_argument("--beam_size", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--n_best", type=int, default=1, help="readings to print of each picture")
    parser.add_argument(
        "--json", action="store_true", help="a JSON object a picture, with scores and warnings"
    )

    def run(given: argparse.Namespace) -> int:
        if not Path(given.model).is_file():
            locate(given.model)
        if _all_missing(given.images):
            return 1
        from im2tex.commands.read import read  # noqa: PLC0415 - imports torch

        failed = read(
            given.images,
            model=given.model,
            beam_size=given.beam_size,
            n_best=given.n_best,
            as_json=given.json,
        )
        return 1 if failed else 0

    parser.set_defaults(run=run)


def _all_missing(images: Sequence[str]) -> bool:
    """Whether none of the files exists; then names each, before torch is imported."""
    if any(name == "-" or os.path.lexists(name) for name in images):
        return False
    for name in images:
        try:
            read_file_bytes(name)
        except Im2TexError as error:
            print(f"im2tex read: {error}", file=sys.stderr)
    return True


def export(commands: Commands) -> None:
    """`im2tex export`."""
    parser = commands.add_parser(
        "export",
        help="a checkpoint's model as a small folder, for `im2tex read`",
        description="Writes settings, weights in half precision, a model card and a licence.",
    )
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="CKPT", help="whose model")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where to write it"
    )
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
    parser.add_argument(
        "--ensemble",
        type=Path,
        action="append",
        default=[],
        metavar="CKPT",
        help="another model, of the same vocabulary, that reads with it; may be given again",
    )
    parser.add_argument(
        "--views",
        type=float,
        nargs="+",
        metavar="SIZE",
        help="sizes in which a picture is seen, by its own, such as 0.8 1 1.25 (default: 1)",
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.export import export  # noqa: PLC0415

        print(
            export(
                given.ckpt_path,
                given.out,
                given.result,
                given.trained_on,
                given.ensemble,
                given.views,
            )
        )
        return 0

    parser.set_defaults(run=run)


def chain(commands: Commands) -> None:
    """`im2tex chain`."""
    parser = commands.add_parser(
        "chain",
        help="trainings in a row, each from the one before, then a test",
        description="Fits each configuration from the best checkpoint of the one before, and tests"
        " the last. Repeated after an interruption, it goes on where it stopped. What follows"
        " after -- are flags of `im2tex fit` for every step, which win over the configurations but"
        " not over a step's own.",
    )
    parser.add_argument(
        "steps",
        nargs="+",
        metavar="CONFIG",
        help="a configuration; with flags of its own in quotes: 'C.yaml --trainer.max_epochs 4'",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="for all of it: a folder a step, the test, and results/",
    )
    parser.add_argument("--name", default="", help="name of the result (default: the folder's)")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.chain import chain  # noqa: PLC0415

        chain(given.steps, given.out, flags=given.flags, name=given.name)
        return 0

    parser.set_defaults(run=run)
