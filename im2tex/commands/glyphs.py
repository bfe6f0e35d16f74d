"""`im2tex data glyphs`: makes a bank of handwritten symbols, and reports what it covers."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.errors import Im2TexError
from im2tex.utils.files import wrap_os_errors
from im2tex.utils.progress import progress_bar
from im2tex.utils.raw_data import raw_data_folder

if TYPE_CHECKING:
    from im2tex.data.store import Split
    from im2tex.ink.glyphs.bank import GlyphSample

_TRAIN = "train.parquet"


def glyphs(
    *,
    out: Path,
    detexify: Path | None = None,
    crohme: Path | None = None,
    root: Path = Path("data"),
    sheet: Path | None = None,
    outlier_sheet: Path | None = None,
    list_all: bool = False,
) -> None:
    """Collects handwritten symbols from Detexify and CROHME's training split, without outliers.

    Handwritten formulas are composed of these glyphs. Prints which symbols of the prepared data
    they cover; symbols without data are drawn in the built-in font.

    Args:
        out: file of the bank, such as glyphs.parquet.
        detexify: samples of Detexify, the published dump, JSON lines of it, or a folder that
            contains one of these; detexify/ in the folder that IM2TEX_DATA names, if not given.
        crohme: folder of prepared data that contains CROHME; --root if not given.
        root: folder of the prepared data whose training formulas are counted for the coverage.
        sheet: PNG file for samples of every symbol.
        outlier_sheet: PNG file for the outliers.
        list_all: list every symbol, not only those without drawings of their own.

    Raises:
        Im2TexError: if given data does not exist or is not CROHME's training split, or if a file
            cannot be written.
    """
    from im2tex.commands import glyph_report as report
    from im2tex.data.shards import stored_splits
    from im2tex.data.store import Split
    from im2tex.ink.glyphs.coverage import count_symbols, glyph_kind
    from im2tex.ink.glyphs.crohme import crohme_glyphs
    from im2tex.ink.glyphs.detexify import find_detexify, read_detexify
    from im2tex.ink.glyphs.making import make_bank
    from im2tex.ink.glyphs.names import SPELLINGS

    started = time.monotonic()
    skipped: Counter[str] = Counter()
    split = _open_crohme(crohme, root)
    folder = detexify or raw_data_folder("detexify")
    samples = find_detexify(folder) if folder and (detexify or folder.is_dir()) else None
    stores = {
        folder.name: Split(folder / _TRAIN)
        for folder in sorted(root.glob("*"))
        if "train" in stored_splits(folder)
    }
    _check_writable(out, "--out")
    for file, flag in ((sheet, "--sheet"), (outlier_sheet, "--outlier_sheet")):
        if file is not None:
            _check_writable(file, flag, ".png")
    if split is None:
        print(
            f"CROHME: {root / 'crohme' / _TRAIN} does not exist, so letters and digits are those "
            "of the built-in font. `im2tex data prepare crohme` makes it."
        )
    if samples is None:
        print(
            "Detexify: not given, so the bank lacks its symbols. --detexify PATH reads the "
            "samples of https://github.com/kirel/detexify-data."
        )
    drawn: list[GlyphSample] = []
    with progress_bar("reading drawings") as progress:
        crohme_samples = crohme_glyphs(split) if split else ()
        detexify_samples = read_detexify(samples, skipped) if samples else ()
        for sample in itertools.chain(crohme_samples, detexify_samples):
            drawn.append(sample)
            progress.advance()
    tokens = {sample.token for sample in drawn}
    with progress_bar("comparing drawings", len(tokens)) as progress:
        result = make_bank(drawn, {"licences": report.LICENCES}, on_symbol=progress.advance)
    bank = result.bank
    bank.save(out)
    report.print_contents(result, skipped, out, time.monotonic() - started)
    uses: Counter[str] = Counter()
    for name, store in stores.items():
        counts = count_symbols(store.tokens())
        uses += counts
        report.print_summary(name, bank, counts)
    if not stores:
        print(
            f"There is no prepared store under {root} whose formulas say which symbols are "
            "needed; --list_all lists the bank's symbols."
        )
    known = {token for token in bank.tokens if token not in SPELLINGS}
    symbols = sorted({*known, *uses}, key=lambda token: (-uses[token], token))
    missing = [token for token in symbols if token in uses and glyph_kind(bank, token) != "own"]
    if list_all or missing:
        print("Every symbol:" if list_all else "Symbols without drawings of their own:")
        report.print_table(bank, symbols if list_all else missing, uses)
    if sheet is not None:
        report.save_sheet(sheet, report.glyph_rows(bank, symbols))
    if outlier_sheet is not None:
        report.save_sheet(outlier_sheet, report.outlier_rows(result))


def _open_crohme(given: Path | None, root: Path) -> Split | None:
    """CROHME's training split; None if it is neither given nor in `root`.

    Raises:
        Im2TexError: if it is given and does not exist, or is another split.
    """
    from im2tex.data.store import Split

    folder = given or root
    paths = [folder / "crohme" / _TRAIN, *([folder / _TRAIN] if given else [])]
    path = next((path for path in paths if path.is_file()), None)
    if path is None and given is None:
        return None
    if path is None:
        raise Im2TexError(
            f"--crohme {given}: {paths[0]} does not exist. `im2tex data prepare crohme --root "
            f"{given}` makes it."
        )
    split = Split(path)
    source, name = split.metadata.get("source"), split.metadata.get("split")
    if (source, name) != ("crohme", "train"):
        raise Im2TexError(
            f"{path} is split '{name or path.stem}' of source '{source}'. Glyphs are taken from "
            "CROHME's training split alone; glyphs of the other splits would leak their writers "
            "into the training."
        )
    return split


def _check_writable(path: Path, flag: str, suffix: str = "") -> None:
    """Checks before the work, without creating anything.

    Raises:
        Im2TexError: if the file cannot be written, or its name has another suffix.
    """
    if suffix and path.suffix.lower() != suffix:
        raise Im2TexError(f"{flag} {path}: the name must end with {suffix}.")
    with wrap_os_errors(f"write {path} ({flag})"):
        if path.is_dir():
            raise Im2TexError(f"{flag} {path} is a folder: name a file in it.")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise Im2TexError(f"{flag}: cannot write {path}: {folder} is not a writable folder.")
