r"""Reads the files of IM2LATEX-100K as released, and tables of its normal forms.

Zenodo record 56198 has `im2latex_formulas.lst` (a formula in each line), `im2latex_train.lst`,
`im2latex_validate.lst` and `im2latex_test.lst` (index of the formula from 0, name of its image,
kind of rendering), and `formula_images.tar.gz` (whole pages). Formulas are Latin-1, and their lines
end with a line feed alone: a carriage return inside a formula is not the end of a line.

Without the formulas, a table of their normal forms suffices: the columns `split`, `image`, and
`norm_guillaume` or `norm_kaggle`, after two published copies of the authors' normalisation. The
first takes precedence, because it names matrices and `cases` as the authors' script does, while the
other one writes arrays for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from im2tex.data.preparation.printed.formula_lists import (
    COMPRESSED,
    is_list,
    list_suffix,
    read_lines,
    read_table,
)
from im2tex.errors import Im2TexError

RELEASED = {"train": 83_884, "validation": 9_320, "test": 10_355}
"""Rows of the released lists. The paper has one less of each: a last line without an end."""

_FILES = {"train": "train", "validation": "validate", "test": "test"}
_NORM_COLUMNS = ("norm_guillaume", "norm_kaggle")
_IMAGES = tuple(
    f"formula_images{end}" for end in ("", "_processed", ".tar.gz", ".tgz", ".tar", ".zip")
)
_HINT = "Pass the folder of the release to --from; see https://zenodo.org/records/56198."


class ReleasedFormula(NamedTuple):
    """A formula of a split.

    Attributes:
        image: name of its image, without ending.
        latex: its markup, "" if it is missing.
        number: its index among all formulas.
    """

    image: str
    latex: str
    number: str


@dataclass
class Release:
    """The available part of the release.

    Attributes:
        splits: formulas of each split, in the released order.
        images: folder or archive of the images, or None.
        normalised: whether the formulas are normal forms instead of the original markup.
        notes: lines for the report.
    """

    splits: dict[str, list[ReleasedFormula]] = field(default_factory=dict)
    images: Path | None = None
    normalised: bool = False
    notes: list[str] = field(default_factory=list)

    def files(self, folder: Path) -> list[Path]:
        """Returns all files that the data set is made from."""
        files = [] if self.images is None else [self.images]
        return [*files, *sorted(p for p in folder.glob("*") if list_suffix(p) in (".lst", ".tsv"))]


def read_release(path: Path) -> Release:
    """Reads the lists of a folder, compressed or not, or a table of normal forms.

    Raises:
        Im2TexError: if there are no formulas, or the lists do not match them.
    """
    if path.is_file():
        if not is_list(path):
            raise Im2TexError(
                f"{path} is neither a folder nor a table (.tsv). Unpack an archive first, and pass "
                "the folder to --from."
            )
        release = _from_tables([path], {})
    else:
        lists = {split: _find(path, f"im2latex_{name}.lst") for split, name in _FILES.items()}
        rows = {split: list(_rows(file)) for split, file in lists.items() if file is not None}
        formulas = _find(path, "im2latex_formulas.lst")
        tables = sorted(file for file in path.glob("*.tsv*") if _has_norm_column(file))
        if formulas is None and not tables:
            raise Im2TexError(
                f"{path} has neither im2latex_formulas.lst nor a table of normalised formulas "
                "(.tsv with the columns split, image and norm_guillaume or norm_kaggle). " + _HINT
            )
        if formulas is not None and not rows:
            raise Im2TexError(f"{path} has im2latex_formulas.lst, but no list of a split. {_HINT}")
        release = _from_formulas(formulas, rows) if formulas else _from_tables(tables, rows)
        release.images = next((path / name for name in _IMAGES if (path / name).exists()), None)
    release.notes += _count_lines(release)
    return release


def _from_formulas(path: Path, rows: dict[str, list[list[str]]]) -> Release:
    formulas = list(read_lines(path, "latin-1"))
    release = Release()
    for split, split_rows in rows.items():
        entries = release.splits[split] = []
        for index, image, *_ in split_rows:
            if not (index.isdigit() and int(index) < len(formulas)):
                raise Im2TexError(
                    f"the list of {split} names formula {index}, but {path} has "
                    f"{len(formulas)}: is one of them cut off?"
                )
            entries.append(ReleasedFormula(image, formulas[int(index)], index))
    return release


def _from_tables(paths: list[Path], rows: dict[str, list[list[str]]]) -> Release:
    release = Release(normalised=True)
    found: dict[str, dict[str, ReleasedFormula]] = {}
    names = {name: split for split, name in _FILES.items()} | {"validation": "validation"}
    for path in paths:
        for row in read_table(path):
            split = names.get(row.get("split", ""))
            if split is None or "image" not in row:
                raise Im2TexError(
                    f"{path}: expected the columns split (train, validate or test) and image; has "
                    f"{', '.join(row)[:160]!r}."
                )
            latex = next((row[name] for name in _NORM_COLUMNS if row.get(name)), "")
            formula = ReleasedFormula(row["image"], latex, row.get("formula_id", ""))
            found.setdefault(split, {})[formula.image] = formula
    if not found:
        raise Im2TexError(f"{paths[0]} has no formulas. {_HINT}")
    for split in RELEASED:
        if known := found.get(split):
            order = [image for _, image, *_ in rows[split]] if split in rows else list(known)
            release.splits[split] = [known[image] for image in order if image in known]
    return release


def _count_lines(release: Release) -> Iterator[str]:
    for split, formulas in release.splits.items():
        yield f"{split}: {len(formulas):,} of the release's {RELEASED[split]:,} formulas"
    missing = [split for split in RELEASED if split not in release.splits]
    if missing:
        yield f"warning: there are no formulas of {' and '.join(missing)}"


def _rows(path: Path) -> Iterator[list[str]]:
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            row = line.split()
            if len(row) < 2:
                raise Im2TexError(
                    f"{path}, line {number}: expected the index of a formula and the name of its "
                    f"image, got {line[:60]!r}."
                )
            yield row


def _find(folder: Path, name: str) -> Path | None:
    candidates = [folder / f"{name}{ending}" for ending in ("", *COMPRESSED)]
    return next((path for path in candidates if path.exists()), None)


def _has_norm_column(path: Path) -> bool:
    if list_suffix(path) != ".tsv":
        return False
    columns = next(read_lines(path), "").split("\t")
    return {"split", "image"} <= set(columns) and not set(columns).isdisjoint(_NORM_COLUMNS)
