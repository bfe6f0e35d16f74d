"""Options of what prepares data."""

from __future__ import annotations

import argparse
from pathlib import Path

from im2tex.commands.parsers.parser import Commands


def prepare(commands: Commands) -> None:
    """`im2tex data prepare`."""
    parser = commands.add_parser(
        "prepare",
        help="read a source's raw data into a store",
        description="Reads raw data, says what it could not read, and writes a Parquet file a split"
        " to ROOT/SOURCE/, where fit, test and all else find it.",
    )
    parser.add_argument("source", help="a source, see `im2tex components sources`")
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    parser.add_argument(
        "--from",
        dest="raw_data",
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
        print(prepare(given.source, given.root, given.raw_data, given.labels, *source_args))
        return 0

    parser.set_defaults(run=run)


def glyphs(commands: Commands) -> None:
    """`im2tex data glyphs`."""
    parser = commands.add_parser(
        "glyphs",
        help="make a bank of handwritten symbols, to compose handwriting from",
        description="Extracts symbols from Detexify's samples and CROHME's training samples,"
        " filters them, and reports which symbols of the prepared stores they cover. Symbols"
        " without data are drawn in the built-in font.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the bank, such as glyphs.parquet"
    )
    parser.add_argument(
        "--detexify",
        type=Path,
        metavar="PATH",
        help="Detexify's samples: the published dump, JSON lines of it, or the folder that"
        " contains the file (default: detexify/ in the folder that IM2TEX_DATA names)",
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
        "--sheet", type=Path, metavar="FILE.png", help="draw samples of every symbol"
    )
    parser.add_argument("--outlier_sheet", type=Path, metavar="FILE.png", help="draw the outliers")
    parser.add_argument(
        "--list_all", action="store_true", help="list every symbol, not only those without drawings"
    )

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.glyphs import glyphs  # noqa: PLC0415

        for line in glyphs(
            given.out,
            detexify_path=given.detexify,
            crohme_root=given.crohme,
            root=given.root,
            sheet=given.sheet,
            outlier_sheet=given.outlier_sheet,
            list_all=given.list_all,
        ):
            print(line, flush=True)
        return 0

    parser.set_defaults(run=run)


def show(commands: Commands) -> None:
    """`im2tex data show`."""
    parser = commands.add_parser(
        "show",
        help="draw samples of prepared splits beside each other",
        description="Draws a random choice of samples of each split on one sheet, as a model sees"
        " them: to look at data, and to judge synthetic handwriting beside real one.",
    )
    parser.add_argument(
        "splits", nargs="+", metavar="SOURCE:SPLIT", help="such as handwriting:train crohme:train"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("samples.png"),
        metavar="FILE.png",
        help="the sheet (default: %(default)s)",
    )
    parser.add_argument("--count", type=int, default=40, help="of each (default: %(default)s)")
    parser.add_argument("--columns", type=int, default=4, help="default: %(default)s")
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="folder of the stores (default: data)"
    )
    parser.add_argument(
        "--source_args",
        metavar="'{NAME: VALUE}'",
        help="settings of the first split's source, such as '{manner: faithful}'",
    )
    parser.add_argument(
        "--symbol_size",
        type=float,
        default=24.0,
        metavar="PIXELS",
        help="of handwriting; pictures keep their scale (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the choice (default: %(default)s)")

    def run(given: argparse.Namespace) -> int:
        from im2tex.commands.show import show  # noqa: PLC0415

        show(
            given.splits,
            given.out,
            count=given.count,
            columns=given.columns,
            root=given.root,
            source_args=given.source_args,
            symbol_size=given.symbol_size,
            seed=given.seed,
        )
        return 0

    parser.set_defaults(run=run)
