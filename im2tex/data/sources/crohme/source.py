"""Source `crohme`: the handwritten formulas of the CROHME competitions.

The data is not shipped with this package (CC BY-NC-SA 3.0): download it from IAPR TC-11. The
report of a preparation lists counts, labels and splits, which a result on the store depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from im2tex.data.preparation.locating import locate_raw_data
from im2tex.data.preparation.publishing import PROBLEMS, staging, stale_warnings, write_problems
from im2tex.data.preparation.raw_files import RawFile, iter_files
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.crohme.labels import Captions, read_captions
from im2tex.data.sources.crohme.report import report_lines
from im2tex.data.sources.crohme.scan import CollectedInks, InkRecord, collect
from im2tex.data.sources.crohme.validation import held_out
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.utils.progress import progress_bar
from im2tex.utils.wording import counted

_HINT = """Download CROHME from its authors (CC BY-NC-SA 3.0, research use):
  2011-2014  https://tc11.cvc.uab.es/datasets/CROHME-2014_2
  2011-2019  https://tc11.cvc.uab.es/datasets/ICDAR2019-CROHME-TDF_1
Then: im2tex data prepare crohme --from PATH, where PATH is the archive or its folder."""


@SOURCES.register("crohme")
class CrohmeSource(Source):
    """Real handwriting: train, validation, and the test split of each year in the raw data.

    Example:
        >>> source = CrohmeSource()
        >>> source.prepare(Path("data"), "crohme_2014.tar.xz").splits["train"]
        7944
        >>> source.split(Path("data"), "test_2014")[0].ink
    """

    name: ClassVar[str] = "crohme"
    tests: ClassVar[tuple[str, ...]] = ("test_2014", "test_2013")

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads and checks the samples, separates the validation split and writes the store.

        Args:
            root: the data root.
            raw_data: a folder, an archive or a URL, in any layout in which CROHME was published;
                by default `crohme/crohme_2014.tar.xz` in the folder that `IM2TEX_DATA` names.
            labels: a file of labels (captions) to use instead of those of the samples.

        Raises:
            Im2TexError: if there are no training samples, the labels do not fit, or the store
                cannot be written. An earlier store stays intact.
        """
        captions = read_captions(labels) if labels else None
        path = locate_raw_data(raw_data, root, "crohme/crohme_2014.tar.xz", _HINT)
        folder = root / self.name
        with staging(folder) as staged:
            found = collect(_with_progress(iter_files(path)), captions)
            _check_labels(found, captions)
            _check_training(found, path)
            splits = _separate_validation(found)
            metadata = {
                "source": self.name,
                "origin": path.name,
                "labels": labels.name if labels else "the inks' own truth",
                "licence": "CC BY-NC-SA 3.0",
            }
            report = PreparationReport()
            for split, records in splits.items():
                report.splits[split] = write_split(
                    staged / f"{split}.parquet",
                    (record.sample for record in records),
                    {**metadata, "split": split, "samples": len(records)},
                )
            rows = {*found.problems} | {
                (folder, f"{counted(count, 'InkML file')} of an unknown split", "skipped")
                for folder, count in found.unknown_split.items()
            }
            write_problems(staged / PROBLEMS, ("file", "reason", "outcome"), sorted(rows))
            report.lines += [
                *report_lines(found, splits, captions),
                *stale_warnings(folder, splits),
            ]
        return report


def _with_progress(files: Iterator[RawFile]) -> Iterator[RawFile]:
    with progress_bar("reading samples") as shown:
        for file in files:
            yield file
            shown.advance()


def _check_labels(found: CollectedInks, captions: Captions | None) -> None:
    """Skips training samples, and whole test splits, without any label.

    Raises:
        Im2TexError: if the captions cover a split in part.
    """
    for split, records in found.splits.items():
        if captions is not None:
            captions.require(split, (r.sample.key for r in records))
        unlabelled = [record for record in records if not record.sample.tokens]
        # A test sample without a label counts as wrong; a split without any label is no test.
        outcome = "kept without a label"
        if split == "train" or len(unlabelled) == len(records):
            outcome = "skipped"
            found.splits[split] = [record for record in records if record.sample.tokens]
        reason = "there is no truth in the file"
        found.problems += [(r.sample.extra["file"], reason, outcome) for r in unlabelled]
    found.splits = {split: records for split, records in found.splits.items() if records}


def _check_training(found: CollectedInks, raw_data: Path) -> None:
    """Checks that there are training samples.

    Raises:
        Im2TexError: if there are none.
    """
    if found.splits.get("train"):
        return
    if not found.files:
        raise Im2TexError(f"there is no InkML file in {raw_data}.\n{_HINT}")
    others = ", ".join(f"{split} ({len(records)})" for split, records in found.splits.items())
    unknown = ", ".join(folder for folder, _ in found.unknown_split.most_common(3))
    raise Im2TexError(
        f"{raw_data} has {counted(found.files, 'InkML file')} but no training samples"
        + (f"; found: {others}" if others else "")
        + (f"; folders of an unknown split: {unknown}" if unknown else "")
        + ". Training samples must be in a folder with 'train' in its name, or in one called "
        "HAMEX, KAIST, MathBrush, MfrDB, expressmatch or extension. Pass the folder or "
        "archive that has it and the tests to --from."
    )


def _separate_validation(found: CollectedInks) -> dict[str, list[InkRecord]]:
    records = found.splits["train"]
    labels = [(record.sample.extra["collection"], record.sample.tokens) for record in records]
    validation = held_out(labels)
    splits: dict[str, list[InkRecord]] = {"train": [], "validation": []}
    for record in records:
        is_held_out = record.sample.tokens in validation
        splits["validation" if is_held_out else "train"].append(record)
    splits.update((split, rest) for split, rest in found.splits.items() if split != "train")
    return splits
