"""Reads the samples of CROHME's packages, sorts them into splits and removes duplicates.

The packages of different years overlap, and most have each test twice, with and without its ground
truth. Of the files with the same ink in the same split, the most completely annotated one is kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np

from im2tex.data.preparation.raw_files import RawFile
from im2tex.data.sample import Sample
from im2tex.data.sources.crohme.folders import OTHER_TASKS, collection_of, split_of
from im2tex.data.sources.crohme.labels import Captions, aligned_ink, own_truth
from im2tex.ink.inkml import Inkml, InkmlError, read_inkml
from im2tex.latex.crohme import mathml
from im2tex.latex.crohme.canonical import annotate_tokens

FIRST_SEPARATE_YEAR = 2013
"""First year whose test samples are removed from training; the tests of 2011 and 2012 belong to the
training sets of later years."""


@dataclass(frozen=True, slots=True)
class InkRecord:
    """A sample with the values that identify duplicates.

    Attributes:
        sample: the sample to store.
        own: label of the file's own truth, even if captions replace it.
        ui: the competition's unique identifier, or "".
        digest: hash of the strokes.
        annotation_rank: completeness of the annotations; the highest is kept among duplicates.
    """

    sample: Sample
    own: tuple[str, ...]
    ui: str
    digest: bytes
    annotation_rank: tuple[bool, bool, int]

    @property
    def fingerprints(self) -> set[bytes | str]:
        """Identifying values: two files of the same ink have at least one in common."""
        return {self.digest, self.ui} if self.ui else {self.digest}


@dataclass
class CollectedInks:
    """The samples of the raw data.

    Attributes:
        splits: samples of each split, in the order of their keys.
        files: number of InkML files.
        problems: file, reason and outcome of each problem.
        duplicates: number of files skipped because another file has the same ink.
        other_tasks: number of files of other tasks, skipped.
        unknown_split: number of files whose split is unknown, by folder.
        removed_from_train: number of training samples removed because a test has them.
        shared: number of samples of the old tests that are training samples too, by split.
    """

    splits: dict[str, list[InkRecord]] = field(default_factory=dict)
    files: int = 0
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    duplicates: int = 0
    other_tasks: int = 0
    unknown_split: Counter[str] = field(default_factory=Counter)
    removed_from_train: int = 0
    shared: Counter[str] = field(default_factory=Counter)


def collect(files: Iterable[RawFile], captions: Captions | None) -> CollectedInks:
    """Reads all files and sorts the samples into splits.

    Args:
        files: the files, in any order.
        captions: labels to use instead of the files' own.
    """
    found = CollectedInks()
    by_name: defaultdict[tuple[str, str], list[InkRecord]] = defaultdict(list)
    for file in files:
        name = _relative(file.path)
        found.files += file.path.suffix.lower() == ".inkml"
        split = split_of(file.path)
        if split == OTHER_TASKS:
            found.other_tasks += 1
        elif file.data is None:
            found.problems.append((name, file.problem, "skipped"))
        elif split is None:
            found.unknown_split[str(file.path.parent)] += 1
        else:
            try:
                inkml = read_inkml(file.data, name)
            except InkmlError as error:
                found.problems.append((error.file, error.reason, "skipped"))
                continue
            found.problems += [(name, note, "kept") for note in inkml.notes]
            by_name[split, file.path.stem].append(_make_record(inkml, file.path, split, captions))
    splits: defaultdict[str, list[InkRecord]] = defaultdict(list)
    for (split, _), records in by_name.items():
        kept = _without_duplicates(records)
        found.duplicates += len(records) - len(kept)
        splits[split] += kept if len(kept) == 1 else [_with_path_key(record) for record in kept]
    for split in sorted(splits):
        found.splits[split] = sorted(splits[split], key=lambda record: record.sample.key)
    _remove_test_inks(found)
    return found


def _relative(path: PurePosixPath) -> str:
    """Returns the path of a file without the name of the raw data."""
    return str(PurePosixPath(*path.parts[1:])) if len(path.parts) > 1 else str(path)


def _make_record(
    inkml: Inkml, path: PurePosixPath, split: str, captions: Captions | None
) -> InkRecord:
    truth = own_truth(inkml)
    label, label_source = truth.label, truth.source
    strokes = inkml.ink.strokes
    if not label and inkml.groups:
        # Without a truth, the labels of the symbols from left to right are the best estimate.
        groups = sorted(
            inkml.groups, key=lambda group: min(strokes[i][:, 0].min() for i in group.strokes)
        )
        label = annotate_tokens([t for group in groups for t in mathml.symbol_tokens(group.truth)])
        label_source = "symbols"
    own = tuple(leaf.token for leaf in label)
    tokens = captions.get(split, path.stem) if captions else None
    if tokens is not None:
        label, label_source = annotate_tokens(tokens), "labels file"
    sample = Sample(
        key=path.stem,
        latex=inkml.latex or "",
        tokens=tuple(leaf.token for leaf in label),
        ink=aligned_ink(inkml, label, truth.math),
        extra={
            "writer": inkml.writer,
            "collection": collection_of(path, inkml.ui, inkml.annotations.get("copyright", "")),
            "file": _relative(path),
            "label_source": label_source,
        },
    )
    digest = hashlib.blake2b(np.concatenate(strokes).tobytes(), digest_size=16)
    digest.update(np.array([len(stroke) for stroke in strokes], dtype=np.int32).tobytes())
    rank = (truth.source != "none", truth.math is not None, len(inkml.groups))
    return InkRecord(sample, own, inkml.ui, digest.digest(), rank)


def _without_duplicates(records: list[InkRecord]) -> list[InkRecord]:
    """Keeps one record of each ink: the best annotated, then the least nested one."""

    def rank(record: InkRecord) -> tuple[tuple[bool, ...], int, str]:
        file = record.sample.extra["file"]
        return tuple(not bool(part) for part in record.annotation_rank), file.count("/"), file

    kept: list[InkRecord] = []
    for record in sorted(records, key=rank):
        if all(record.fingerprints.isdisjoint(other.fingerprints) for other in kept):
            kept.append(record)
    return kept


def _with_path_key(record: InkRecord) -> InkRecord:
    """Uses the path as key, for different samples with the same file name."""
    key = str(PurePosixPath(record.sample.extra["file"]).with_suffix(""))
    return replace(record, sample=replace(record.sample, key=key))


def _remove_test_inks(found: CollectedInks) -> None:
    """Removes the samples of the tests from training."""
    train = found.splits.get("train", [])
    trained = {mark for record in train for mark in record.fingerprints}
    removed: set[bytes | str] = set()
    for split, records in found.splits.items():
        if split == "train":
            continue
        shared = [record for record in records if not trained.isdisjoint(record.fingerprints)]
        if int(split[-4:]) >= FIRST_SEPARATE_YEAR:
            removed.update(mark for record in shared for mark in record.fingerprints)
        elif shared:
            found.shared[split] = len(shared)
    if removed:
        kept = [record for record in train if removed.isdisjoint(record.fingerprints)]
        found.removed_from_train = len(train) - len(kept)
        found.splits["train"] = kept
