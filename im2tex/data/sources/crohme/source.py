"""Source `crohme`: the handwritten formulas of the CROHME competitions.

The inks cannot be shipped with this package (CC BY-NC-SA 3.0): a person gets them from IAPR TC-11
and says where they lie. Counts, labels and splits are checked and reported, so that a result on
this store says what it was trained and tested on.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from im2tex.data.preparation.download import download, is_url
from im2tex.data.preparation.raw_files import RawFile, iter_files
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.crohme.labels import Captions, read_captions
from im2tex.data.sources.crohme.report import lines
from im2tex.data.sources.crohme.scan import Collected, Record, collect
from im2tex.data.sources.crohme.validation import held_out
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.utils.progress import progress_bar
from im2tex.utils.raw_data import raw_data_folder

_WHERE = """CROHME's inks have to be had from its makers (CC BY-NC-SA 3.0, research use):
  2011-2014  https://tc11.cvc.uab.es/datasets/CROHME-2014_2
  2011-2019  https://tc11.cvc.uab.es/datasets/ICDAR2019-CROHME-TDF_1
Then: im2tex data prepare crohme --from PATH, where PATH is the archive as it comes, or a folder."""


@SOURCES.register("crohme")
class CrohmeSource(Source):
    """Real handwriting: train, validation, and the test of each year found."""

    name: ClassVar[str] = "crohme"
    tests: ClassVar[tuple[str, ...]] = ("test_2014", "test_2013")

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads the inks, checks them, cuts the validation split and writes the store.

        Args:
            root: the data root.
            raw_data: a folder, an archive or a URL, in any layout CROHME was published in; without
                one the archive in the folder that IM2TEX_DATA names is used, if there is one.
            labels: captions to use instead of the files' own truth.

        Returns:
            Samples by split, and what there is to know about them.

        Raises:
            Im2TexError: if there are no inks or no training inks, the labels do not fit, or the
                store cannot be written. An earlier store is intact then.
        """
        captions = read_captions(labels) if labels else None
        path = self._find(root, raw_data)
        with self._workshop(root) as cache:
            found = collect(_shown(iter_files(path)), captions)
            _check(found, path, captions)
            validation = held_out(
                [(r.sample.extra["collection"], r.sample.tokens) for r in found.splits["train"]]
            )
            splits = _cut(found, validation)
            about = {
                "source": self.name,
                "origin": path.name,
                "labels": labels.name if labels else "the inks' own truth",
                "licence": "CC BY-NC-SA 3.0",
            }
            prepared = PreparationReport()
            for split, records in splits.items():
                prepared.splits[split] = write_split(
                    cache / f"{split}.parquet",
                    (record.sample for record in records),
                    {**about, "split": split, "samples": len(records)},
                )
            _write_problems(cache / "problems.tsv", found)
            prepared.lines += lines(found, splits, captions)
            stale = sorted(set(self.available(root)) - set(splits))
            prepared.lines += [
                f"warning: {self.path(root, split)} is from an earlier preparation and was left "
                "as it was"
                for split in stale
            ]
            self._publish(root, cache)
        return prepared

    def _find(self, root: Path, raw_data: str | None) -> Path:
        if raw_data is not None:
            return download(raw_data, root / "downloads") if is_url(raw_data) else Path(raw_data)
        folder = raw_data_folder("crohme")
        if folder is None:
            raise Im2TexError(_WHERE)
        path = folder / "crohme_2014.tar.xz"
        if not path.exists():
            raise Im2TexError(f"IM2TEX_DATA is {folder.parent}, but there is no {path}.\n{_WHERE}")
        return path

    @contextmanager
    def _workshop(self, root: Path) -> Iterator[Path]:
        """A folder beside the store in which the new one is made, gone afterwards."""
        folder = root / self.name / f".preparing-{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Im2TexError(_unwritable(folder.parent, error)) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, root: Path, cache: Path) -> None:
        """Puts the new files in the old ones' places, once all of them are complete."""
        try:
            for file in sorted(cache.iterdir()):
                file.replace(root / self.name / file.name)
        except OSError as error:
            raise Im2TexError(_unwritable(root / self.name, error)) from error


def _shown(files: Iterator[RawFile]) -> Iterator[RawFile]:
    with progress_bar("reading inks") as shown:
        for file in files:
            yield file
            shown.advance()


def _check(found: Collected, raw_data: Path, captions: Captions | None) -> None:
    """Stops where there is nothing to train on; leaves out tests without any truth.

    Raises:
        Im2TexError: see above, or if the captions cover a split in part.
    """
    for split, records in found.splits.items():
        if captions is not None:
            captions.require(split, (r.sample.key for r in records))
    for split, records in list(found.splits.items()):
        mute = [record for record in records if not record.sample.tokens]
        # One test ink without a label counts as missed; a whole split of them is no test.
        if split == "train" or len(mute) == len(records):
            outcome, reason = "left out", "there is no truth in the file"
            found.splits[split] = [record for record in records if record.sample.tokens]
        else:
            outcome, reason = "kept without a label", "there is no truth in the file"
        found.problems += [(r.sample.extra["file"], reason, outcome) for r in mute]
    found.splits = {split: records for split, records in found.splits.items() if records}
    if found.splits.get("train"):
        return
    if not found.files:
        raise Im2TexError(f"there is no InkML file in {raw_data}.\n{_WHERE}")
    there = ", ".join(f"{split} ({len(records)})" for split, records in found.splits.items())
    folders = ", ".join(folder for folder, _ in found.unplaced.most_common(3))
    raise Im2TexError(
        f"{raw_data} holds {found.files} InkML files but no training inks"
        + (f"; found: {there}" if there else "")
        + (f"; folders whose part in CROHME nothing tells: {folders}" if folders else "")
        + ". Training inks lie in a folder with 'train' in its name, or in one called HAMEX, "
        "KAIST, MathBrush, MfrDB, expressmatch or extension. Give --from the folder or archive "
        "that holds it and the tests."
    )


def _cut(found: Collected, validation: set[tuple[str, ...]]) -> dict[str, list[Record]]:
    splits: dict[str, list[Record]] = {"train": [], "validation": []}
    for record in found.splits["train"]:
        splits["validation" if record.sample.tokens in validation else "train"].append(record)
    splits.update((split, rest) for split, rest in found.splits.items() if split != "train")
    return splits


def _write_problems(path: Path, found: Collected) -> None:
    rows = Counter(found.problems)
    rows.update(
        (folder, f"{count} InkML files in a folder whose part in CROHME nothing tells", "left out")
        for folder, count in found.unplaced.items()
    )
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(("file", "reason", "outcome"))
            writer.writerows(sorted(rows))
    except OSError as error:
        raise Im2TexError(_unwritable(path.parent.parent, error)) from error


def _unwritable(folder: Path, error: OSError) -> str:
    return (
        f"cannot write to {folder}: {error.strerror or error}. Choose another folder with --root, "
        "or make room there."
    )
