r"""`im2tex data glyphs`: a bank of handwritten symbols, what it covers, and sheets to look at."""

from __future__ import annotations

import errno
import io
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.ink.glyphs import coverage, crohme, detexify, font, substitutes
from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.making import BuildResult, make_bank
from im2tex.ink.glyphs.names import SPELLINGS
from im2tex.ink.glyphs.sheet import Row, draw_sheets, evenly_spaced
from im2tex.utils.files import atomic_write
from im2tex.utils.progress import progress_bar

_TRAIN = "train.parquet"
_KINDS = {
    "own": "with drawings of their own",
    "stand-in": "by another's of the same shape",
    "composed": "put together",
    "built-in": "by the built-in font",
    "none": "not",
}
_ABOUT = {
    crohme.SOURCE: crohme.LICENCE,
    detexify.SOURCE: detexify.LICENCE,
    substitutes.SOURCE: "put together from drawings of other symbols; their licences",
    font.SOURCE: "A. V. Hershey's fonts and strokes of our own; free for any use",
}


def glyphs(
    out: Path,
    *,
    detexify_path: Path | None = None,
    crohme_root: Path | None = None,
    root: Path = Path("data"),
    sheet: Path | None = None,
    left_out_sheet: Path | None = None,
    every: bool = False,
) -> Iterator[str]:
    """Makes a bank of what data there is, and says what it is made of and what it covers.

    Args:
        out: the bank's file.
        detexify_path: Detexify's samples, a file or the folder that holds it; without one the
            folder `detexify` of the one that IM2TEX_DATA names is used, if there is one.
        crohme_root: folder of the stores, or the CROHME store itself; without one `root` is used,
            if CROHME is there.
        root: folder of the stores whose formulas tell which symbols are needed.
        sheet: a picture of samples of every symbol; of several pages, a file each.
        left_out_sheet: the same of what the filter left out.
        every: lists every symbol, not only those without drawings of their own.

    Yields:
        Lines, as soon as they are known.

    Raises:
        Im2TexError: if data that was asked for is not there or is not CROHME's training split, or
            a file cannot be written.
    """
    started = time.monotonic()
    missing: Counter[str] = Counter()
    split = _crohme(crohme_root, root)
    samples = _detexify(detexify_path)
    stores = {path.parent.name: Split(path) for path in sorted(root.glob(f"*/{_TRAIN}"))}
    _check(out, "--out", ())
    for page, flag in ((sheet, "--sheet"), (left_out_sheet, "--left_out")):
        if page is not None:
            _check(page, flag, (".png",))
    if split is None:
        yield (
            f"CROHME: no {root / 'crohme' / _TRAIN}, so letters and digits are those of the "
            "built-in font. `im2tex data prepare crohme` makes it."
        )
    if samples is None:
        yield (
            "Detexify: not given, so symbols come from elsewhere. --detexify PATH takes what "
            "https://github.com/kirel/detexify-data offers."
        )
    with progress_bar("reading drawings") as progress:
        drawn = list(_shown(_drawings(split, samples, missing), progress.advance))
    with progress_bar("comparing drawings", len({one.token for one in drawn})) as progress:
        made = make_bank(drawn, {"licences": _ABOUT}, shown=progress.advance)
    made.bank.save(out)
    yield from _contents(made, missing, out, time.monotonic() - started)
    uses = {name: coverage.count_symbols(store.tokens()) for name, store in stores.items()}
    for name, counts in uses.items():
        yield _summary(name, coverage.coverage(made.bank, counts))
    total = sum(uses.values(), Counter[str]())
    if not uses:
        yield (
            f"There is no prepared store under {root} whose formulas would say which symbols are "
            "needed; --all lists what the bank has."
        )
    named = {token: 0 for token in made.bank.tokens if every and token not in SPELLINGS}
    yield from _table(coverage.coverage(made.bank, Counter({**named, **total})), every)
    if sheet is not None:
        yield _saved(sheet, _rows(made.bank, total))
    if left_out_sheet is not None:
        odd = sorted(made.outliers.items())
        rows = (
            (f"{token}\n{len(ones)} left out", [one.strokes for one in ones]) for token, ones in odd
        )
        yield _saved(left_out_sheet, rows)


def _crohme(given: Path | None, root: Path) -> Split | None:
    """CROHME's training split, and no other.

    Raises:
        Im2TexError: if it was asked for and is not there, or is another.
    """
    folder = given or root
    places = [folder / "crohme" / _TRAIN] + ([folder / _TRAIN] if given else [])
    path = next((place for place in places if place.is_file()), None)
    if path is None and given is None:
        return None
    if path is None:
        raise Im2TexError(
            f"--crohme {given}: there is no {places[0]}. `im2tex data prepare crohme --root "
            f"{given}` makes it."
        )
    split = Split(path)
    source, name = split.about.get("source"), split.about.get("split")
    if (source, name) != ("crohme", "train"):
        raise Im2TexError(
            f"{path} is split '{name or path.stem}' of source '{source}'. Glyphs are taken from "
            "CROHME's training split alone: who trains on what was drawn with others would have "
            "seen them."
        )
    return split


def _detexify(given: Path | None) -> Path | None:
    if given is not None:
        return detexify.find_detexify(given)
    data = os.environ.get("IM2TEX_DATA")
    folder = Path(data) / "detexify" if data else None
    return detexify.find_detexify(folder) if folder and folder.is_dir() else None


def _check(path: Path, flag: str, endings: Collection[str]) -> None:
    """Finds out before all the work whether a file can be written, and makes nothing yet.

    Raises:
        Im2TexError: if it cannot.
    """
    if endings and path.suffix.lower() not in endings:
        raise Im2TexError(f"{flag} {path}: the name should end with .png.")
    try:
        if path.is_dir():
            raise Im2TexError(f"{flag} {path} is a folder: name a file in it.")
        folder = next(place for place in path.absolute().parents if place.exists())
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is a file")
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise Im2TexError(f"{flag}: cannot write {path}: {error.strerror or error}.") from None


def _drawings(
    split: Split | None, samples: Path | None, missing: Counter[str]
) -> Iterator[GlyphSample]:
    if split is not None:
        yield from crohme.crohme_glyphs(split)
    if samples is not None:
        yield from detexify.read_detexify(samples, missing)


def _shown(drawn: Iterable[GlyphSample], advance: Callable[[], None]) -> Iterator[GlyphSample]:
    for one in drawn:
        yield one
        advance()


def _contents(made: BuildResult, missing: Counter[str], out: Path, seconds: float) -> Iterator[str]:
    bank = made.bank
    own = [token for token in bank.tokens if token not in bank.substitutes]
    size = out.stat().st_size / 1e6
    yield (
        f"{out}: {len(bank):,} glyphs of {len(own):,} symbols, writers known by name: "
        f"{len(bank.writers):,}; {size:.2f} MB, made in {seconds:.0f} s"
    )
    counts = sum((Counter(bank.sources(token)) for token in own), Counter[str]())
    for source, licence in _ABOUT.items():
        if counts[source]:
            yield f"  {counts[source]:>7,} {source:9} {licence}"
    odd = sum(len(drawn) for drawn in made.outliers.values())
    for reason, count in [("unlike others of their symbol", odd), *missing.most_common()]:
        if count:
            yield f"  {count:>7,} left out  {reason}"


def _summary(store: str, covers: Sequence[coverage.SymbolCoverage]) -> str:
    kinds = Counter(cover.kind for cover in covers)
    uses = sum(cover.uses for cover in covers)
    bare = sum(cover.uses for cover in covers if cover.kind == "none")
    parts = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in kinds.most_common())
    return (
        f"{store}: {len(covers)} symbols: {parts}; of {uses:,} in its training formulas "
        f"{1 - bare / max(uses, 1):.3%} can be drawn"
    )


def _table(covers: Sequence[coverage.SymbolCoverage], every: bool) -> Iterator[str]:
    """The coverage table, if there is something to list."""
    chosen = [cover for cover in covers if every or cover.kind != "own"]
    if not chosen:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("symbol", "uses", "glyphs", "of"):
        table.add_column(name, justify="right" if name in ("uses", "glyphs") else "left")
    for cover in chosen:
        table.add_row(*(Text(cell) for cell in
            (cover.token, f"{cover.uses:,}", f"{cover.samples:,}", _whence(cover))))  # fmt: skip
    console = Console(width=100, file=io.StringIO(), color_system=None)
    with console.capture() as written:
        console.print(table)
    title = "Every symbol:" if every else "Symbols without drawings of their own:"
    yield "\n".join([title, *(line.rstrip() for line in written.get().splitlines())])


def _whence(cover: coverage.SymbolCoverage) -> str:
    sources = ", ".join(f"{source} {count:,}" for source, count in sorted(cover.sources.items()))
    if cover.substitutes:
        return f"{' '.join(cover.substitutes)} ({sources})"
    return sources or "nothing: it cannot be drawn"


def _rows(bank: GlyphBank, uses: Counter[str]) -> Iterator[Row]:
    """A row for every symbol, the most used first; other spellings have none."""
    rest = [token for token in bank.tokens if token not in SPELLINGS]
    for cover in coverage.coverage(bank, Counter({**dict.fromkeys(rest, 0), **uses})):
        yield _row(bank, cover)


def _row(bank: GlyphBank, cover: coverage.SymbolCoverage) -> Row:
    name = f"{cover.token}\n{cover.samples} {cover.kind} {' '.join(cover.substitutes)}"
    return name, [bank.strokes(cover.token, i) for i in evenly_spaced(cover.samples)]


def _saved(path: Path, rows: Iterable[Row]) -> str:
    pages = draw_sheets(rows)
    several = len(pages) > 1
    files = [
        path.with_name(f"{path.stem}-{n:02d}{path.suffix}") if several else path
        for n in range(1, len(pages) + 1)
    ]
    try:
        for page, file in zip(pages, files, strict=True):
            with atomic_write(file) as part:
                page.save(part, format="PNG")
    except OSError as error:
        raise Im2TexError(f"cannot write {path}: {error.strerror or error}.") from None
    if not files:
        return f"{path}: nothing to show, not written"
    return f"{files[0]}" + (f" to {files[-1].name}" if several else "")
