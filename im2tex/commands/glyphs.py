"""`im2tex data glyphs`: makes a glyph bank, reports its coverage and draws sheets of its glyphs."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.ink.glyphs import coverage, crohme, detexify, font, substitutes
from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.making import BuildResult, make_bank
from im2tex.ink.glyphs.names import SPELLINGS
from im2tex.ink.glyphs.sheet import Row, draw_sheet, spread_indices
from im2tex.utils.files import wrap_os_errors
from im2tex.utils.png import save_png
from im2tex.utils.progress import progress_bar

_TRAIN = "train.parquet"
_KINDS = {
    "own": "with drawings of their own",
    "substitute": "by drawings of a symbol of the same shape",
    "composed": "composed of other symbols",
    "built-in": "in the built-in font",
    "none": "without glyphs",
}
_LICENCES = {
    crohme.SOURCE: crohme.LICENCE,
    detexify.SOURCE: detexify.LICENCE,
    substitutes.SOURCE: "composed of drawings of other symbols; their licences",
    font.SOURCE: "A. V. Hershey's fonts and strokes of our own; free for any use",
}


def glyphs(
    out: Path,
    *,
    detexify_path: Path | None = None,
    crohme_root: Path | None = None,
    root: Path = Path("data"),
    sheet: Path | None = None,
    outlier_sheet: Path | None = None,
    list_all: bool = False,
) -> Iterator[str]:
    """Makes a bank of the available data, and reports its contents and coverage.

    Args:
        out: the bank's file.
        detexify_path: Detexify's samples, a file or a folder that contains it; by default the
            folder `detexify` in the folder that IM2TEX_DATA names, if it exists.
        crohme_root: folder of the stores, or the CROHME store itself; by default `root`, if it
            contains CROHME.
        root: folder of the stores whose formulas are counted for the coverage.
        sheet: PNG file with samples of every symbol.
        outlier_sheet: PNG file with the outliers.
        list_all: lists every symbol, not only those without drawings of their own.

    Yields:
        Lines of the report.

    Raises:
        Im2TexError: if given data does not exist or is not CROHME's training split, or if a file
            cannot be written.
    """
    started = time.monotonic()
    skipped: Counter[str] = Counter()
    split = _open_crohme(crohme_root, root)
    samples = _find_detexify(detexify_path)
    stores = {path.parent.name: Split(path) for path in sorted(root.glob(f"*/{_TRAIN}"))}
    _check_writable(out, "--out")
    for file, flag in ((sheet, "--sheet"), (outlier_sheet, "--outlier_sheet")):
        if file is not None:
            _check_writable(file, flag, ".png")
    if split is None:
        yield (
            f"CROHME: {root / 'crohme' / _TRAIN} does not exist, so letters and digits are those "
            "of the built-in font. `im2tex data prepare crohme` makes it."
        )
    if samples is None:
        yield (
            "Detexify: not given, so the bank lacks its symbols. --detexify PATH reads the "
            "samples of https://github.com/kirel/detexify-data."
        )
    drawn: list[GlyphSample] = []
    with progress_bar("reading drawings") as progress:
        for sample in _read_samples(split, samples, skipped):
            drawn.append(sample)
            progress.advance()
    tokens = {sample.token for sample in drawn}
    with progress_bar("comparing drawings", len(tokens)) as progress:
        result = make_bank(drawn, {"licences": _LICENCES}, on_symbol=progress.advance)
    bank = result.bank
    bank.save(out)
    yield from _contents(result, skipped, out, time.monotonic() - started)
    uses: Counter[str] = Counter()
    for name, store in stores.items():
        counts = coverage.count_symbols(store.tokens())
        uses += counts
        yield _summary(name, coverage.coverage(bank, counts))
    if not stores:
        yield (
            f"There is no prepared store under {root} whose formulas say which symbols are "
            "needed; --list_all lists the bank's symbols."
        )
    # Counter's + and += drop symbols that do not occur.
    names = dict.fromkeys((token for token in bank.tokens if token not in SPELLINGS), 0)
    covers = coverage.coverage(bank, Counter({**names, **uses}))
    listed = [
        cover for cover in covers if list_all or (cover.token in uses and cover.kind != "own")
    ]
    if listed:
        yield "Every symbol:" if list_all else "Symbols without drawings of their own:"
        yield f"  {'symbol':20} {'uses':>9} {'glyphs':>7}  sources"
        yield from map(_table_row, listed)
    if sheet is not None:
        yield _save_sheet(sheet, (_sheet_row(bank, cover) for cover in covers))
    if outlier_sheet is not None:
        outliers = sorted(result.outliers.items())
        rows = (
            (f"{token}\n{len(odd)} outliers", [sample.strokes for sample in odd])
            for token, odd in outliers
        )
        yield _save_sheet(outlier_sheet, rows)


def _open_crohme(given: Path | None, root: Path) -> Split | None:
    """CROHME's training split; None if it is neither given nor in `root`.

    Raises:
        Im2TexError: if it is given and does not exist, or is another split.
    """
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
    source, name = split.about.get("source"), split.about.get("split")
    if (source, name) != ("crohme", "train"):
        raise Im2TexError(
            f"{path} is split '{name or path.stem}' of source '{source}'. Glyphs are taken from "
            "CROHME's training split alone; glyphs of the other splits would leak their writers "
            "into the training."
        )
    return split


def _find_detexify(given: Path | None) -> Path | None:
    if given is not None:
        return detexify.find_detexify(given)
    data = os.environ.get("IM2TEX_DATA")
    folder = Path(data) / "detexify" if data else None
    return detexify.find_detexify(folder) if folder and folder.is_dir() else None


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


def _read_samples(
    split: Split | None, samples: Path | None, skipped: Counter[str]
) -> Iterator[GlyphSample]:
    if split is not None:
        yield from crohme.crohme_glyphs(split)
    if samples is not None:
        yield from detexify.read_detexify(samples, skipped)


def _contents(
    result: BuildResult, skipped: Counter[str], out: Path, seconds: float
) -> Iterator[str]:
    bank = result.bank
    own = [token for token in bank.tokens if token not in bank.substitutes]
    size = out.stat().st_size / 1e6
    yield (
        f"{out}: {len(bank):,} glyphs of {len(own):,} symbols by {len(bank.writers):,} known "
        f"writers; {size:.2f} MB, made in {seconds:.0f} s"
    )
    counts = sum((Counter(bank.sources(token)) for token in own), Counter[str]())
    for source, licence in _LICENCES.items():
        if counts[source]:
            yield f"  {counts[source]:>7,} {source:9} {licence}"
    outliers = sum(map(len, result.outliers.values()))
    for reason, count in [("outliers of their symbol", outliers), *skipped.most_common()]:
        if count:
            yield f"  {count:>7,} skipped   {reason}"


def _summary(store: str, covers: list[coverage.SymbolCoverage]) -> str:
    kinds = Counter(cover.kind for cover in covers)
    uses = sum(cover.uses for cover in covers)
    missing = sum(cover.uses for cover in covers if cover.kind == "none")
    parts = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in kinds.most_common())
    return (
        f"{store}: {len(covers)} symbols: {parts}; {1 - missing / max(uses, 1):.3%} of {uses:,} "
        "occurrences in its training formulas have glyphs"
    )


def _table_row(cover: coverage.SymbolCoverage) -> str:
    sources = ", ".join(f"{source} {count:,}" for source, count in sorted(cover.sources.items()))
    if cover.substitutes:
        sources = f"{' '.join(cover.substitutes)} ({sources})"
    return f"  {cover.token:20} {cover.uses:9,} {cover.samples:7,}  {sources or 'none'}"


def _sheet_row(bank: GlyphBank, cover: coverage.SymbolCoverage) -> Row:
    text = f"{cover.token}\n{cover.samples} {cover.kind} {' '.join(cover.substitutes)}"
    return text, [bank.strokes(cover.token, i) for i in spread_indices(cover.samples)]


def _save_sheet(path: Path, rows: Iterable[Row]) -> str:
    listed = list(rows)
    if not listed:
        return f"{path}: not written, there is nothing to draw"
    save_png(path, draw_sheet(listed))
    return str(path)
