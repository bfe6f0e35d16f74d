r"""The files of IM2LATEX-100K as released, and what else goes around of them.

Zenodo record 56198 has `im2latex_formulas.lst` (a formula a line), `im2latex_train.lst`,
`im2latex_validate.lst` and `im2latex_test.lst` (index of the formula from 0, name of its image,
way of rendering), and `formula_images.tar.gz` (whole pages). Formulas are Latin-1, and their lines
end with a line feed alone: an embedded carriage return would else shift every later pair.

Where the formulas are not there, a table of their normal forms by image serves: the columns
`split`, `image`, and `norm_guillaume` or `norm_kaggle`, after two people's copies of the authors'
own normalisation. The first is taken where there are both: it names matrices and `cases` as the
authors' script does, the other one writes arrays for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from im2tex.data.preparation.printed.formula_lists import (
    COMPRESSED,
    is_list,
    read_lines,
    read_table,
)
from im2tex.errors import Im2TexError

RELEASED = {"train": 83_884, "validation": 9_320, "test": 10_355}
"""Rows of the released lists. The paper has one less of each: a last line without an end."""

_FILES = {"train": "train", "validation": "validate", "test": "test"}
_COLUMNS = ("norm_guillaume", "norm_kaggle")
_IMAGES = "formula_images"
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


class Entry(NamedTuple):
    """A formula of a split.

    Attributes:
        image: name of its picture, without ending.
        latex: its markup, or nothing where that is not there.
        number: of the formula among all.
    """

    image: str
    latex: str
    number: str


@dataclass
class Release:
    """What a folder has of the release.

    Attributes:
        splits: the formulas of each split, in the released order.
        images: folder or archive of the pictures, or None.
        normalised: whether the formulas are in normal form instead of as they were written.
        notes: what a person should know.
    """

    splits: dict[str, list[Entry]] = field(default_factory=dict)
    images: Path | None = None
    normalised: bool = False
    notes: list[str] = field(default_factory=list)

    def files(self, folder: Path) -> list[Path]:
        """Everything that the data set is made of."""
        files = [] if self.images is None else [self.images]
        return [*files, *sorted(path for path in folder.glob("*") if _is_list(path))]


def read_release(origin: Path) -> Release:
    """Reads the lists of a folder, packed or not, or a table of normal forms.

    Raises:
        Im2TexError: if there are no formulas, or the lists do not fit them.
    """
    if origin.is_file():
        if not is_list(origin):
            raise Im2TexError(
                f"{origin} is neither a folder nor a table (.tsv). Unpack an archive first, and "
                "give --from the folder."
            )
        return _from_table([origin], {})
    if not origin.is_dir():
        raise Im2TexError(f"{origin} does not exist. Give --from the folder of the release.")
    lists = {split: _find(origin, f"im2latex_{name}.lst") for split, name in _FILES.items()}
    rows = {split: list(_rows(path)) for split, path in lists.items() if path is not None}
    formulas = _find(origin, "im2latex_formulas.lst")
    if formulas is None:
        tables = sorted(path for path in origin.glob("*.tsv*") if _has_normal_forms(path))
        if not tables:
            raise Im2TexError(
                f"{origin} has neither im2latex_formulas.lst nor a table of normalised formulas "
                "(.tsv with the columns split, image and norm_guillaume or norm_kaggle). The "
                "release is https://zenodo.org/records/56198."
            )
        release = _from_table(tables, rows)
    else:
        if not rows:
            raise Im2TexError(f"{origin} has im2latex_formulas.lst, but none of the splits' lists.")
        release = _from_formulas(formulas, rows)
    release.images = _images(origin)
    return release


def _from_formulas(path: Path, rows: dict[str, list[list[str]]]) -> Release:
    formulas = list(read_lines(path, "latin-1"))
    release = Release()
    for split, some in rows.items():
        entries = release.splits[split] = []
        for index, image, *_ in some:
            if not (index.isdigit() and int(index) < len(formulas)):
                raise Im2TexError(
                    f"the list of {split} names formula {index}, but {path} has "
                    f"{len(formulas)}: is one of them cut off?"
                )
            entries.append(Entry(image, formulas[int(index)], index))
    release.notes += _counted(release)
    return release


def _from_table(paths: list[Path], rows: dict[str, list[list[str]]]) -> Release:
    release = Release(normalised=True)
    found: dict[str, dict[str, Entry]] = {}
    names = {name: split for split, name in _FILES.items()} | {"validation": "validation"}
    for path in paths:
        for row in read_table(path):
            split = names.get(row.get("split", ""))
            if split is None or "image" not in row:
                raise Im2TexError(
                    f"{path}: expected the columns split (train, validate or test) and image; has "
                    f"{', '.join(row)[:160]!r}."
                )
            latex = next((row[name] for name in _COLUMNS if row.get(name)), "")
            entry = Entry(row["image"], latex, row.get("formula_id", ""))
            found.setdefault(split, {})[entry.image] = entry
    if not found:
        raise Im2TexError(f"{paths[0]} has no formulas. Give --from the folder of the release.")
    for split in RELEASED:
        known = found.get(split)
        if known is None:
            continue
        order = [image for _, image, *_ in rows[split]] if split in rows else list(known)
        release.splits[split] = [known[image] for image in order if image in known]
    release.notes += _counted(release)
    return release


def _counted(release: Release) -> Iterator[str]:
    for split, entries in release.splits.items():
        expected = RELEASED[split]
        if len(entries) == expected:
            yield f"{split}: all {expected:,} formulas of the release"
        else:
            yield f"{split}: {len(entries):,} of the release's {expected:,} formulas are there"
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
    candidates = [folder / name, *(folder / f"{name}{ending}" for ending in COMPRESSED)]
    return next((path for path in candidates if path.exists()), None)


def _images(folder: Path) -> Path | None:
    names = [_IMAGES, f"{_IMAGES}_processed", *(f"{_IMAGES}{ending}" for ending in _ARCHIVES)]
    return next((folder / name for name in names if (folder / name).exists()), None)


def _is_list(path: Path) -> bool:
    name = path.name.removesuffix(path.suffix) if path.suffix in COMPRESSED else path.name
    return name.endswith((".lst", ".tsv"))


def _has_normal_forms(path: Path) -> bool:
    if not _is_list(path):
        return False
    columns = next(read_lines(path), "").split("\t")
    return {"split", "image"} <= set(columns) and not set(columns).isdisjoint(_COLUMNS)
