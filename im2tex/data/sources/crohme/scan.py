"""Gathers CROHME's inks from whatever they come in: reads, sorts into splits, drops doubles.

The packages of different years repeat each other, and most hold each test set twice, with and
without its ground truth. Of the same ink in the same split the file that says most is kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from im2tex.data.preparation.raw_files import RawFile
from im2tex.data.sample import Sample
from im2tex.data.sources.crohme.folders import OTHER_TASKS, collection_of, split_of
from im2tex.data.sources.crohme.labels import Captions, aligned_ink, captioned, own_truth
from im2tex.ink.inkml import Inkml, InkmlError, read_inkml
from im2tex.latex.crohme import mathml

FIRST_SEPARATE_YEAR = 2013
"""From this year on test inks stay out of training; the tests of 2011 and 2012 became training."""


@dataclass(frozen=True, slots=True)
class Record:
    """An ink on its way into the store.

    Attributes:
        sample: what will be stored.
        own: the label of the file's own truth, whatever the sample's.
        ui: the competition's identifier, or "".
        digest: of the strokes.
        wealth: how much the file says, to choose among doubles.
    """

    sample: Sample
    own: tuple[str, ...]
    ui: str
    digest: bytes
    wealth: tuple[bool, bool, int]

    def is_same_ink(self, other: Record) -> bool:
        """Whether two files of one name hold one ink."""
        return self.digest == other.digest or (self.ui != "" and self.ui == other.ui)


@dataclass
class Collected:
    """All that was found.

    Attributes:
        splits: inks by split, in the order of their keys.
        files: InkML files met.
        problems: file, reason and outcome of what is not in the splits as it should be.
        doubles: files left out because another one holds the same ink.
        other_tasks: files of other tasks, left out.
        unplaced: number of files by folder whose split nothing tells.
        withheld: training inks left out because a test has them.
        shared: inks of the old tests that are training inks too, by split.
    """

    splits: dict[str, list[Record]] = field(default_factory=dict)
    files: int = 0
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    doubles: int = 0
    other_tasks: int = 0
    unplaced: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    shared: Counter[str] = field(default_factory=Counter)


def collect(files: Iterable[RawFile], captions: Captions | None) -> Collected:
    """Reads every file and sorts the inks into splits.

    Args:
        files: the files, in any order.
        captions: labels to use instead of the files' own, for the inks they know.
    """
    found = Collected()
    heap: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for file in files:
        found.files += file.path.suffix.lower() == ".inkml"
        split = split_of(file.path)
        if split is None and file.data is not None:
            found.unplaced[str(file.path.parent)] += 1
        elif split == OTHER_TASKS:
            found.other_tasks += 1
        elif file.data is None:
            found.problems.append((_relative(file.path), file.problem, "left out"))
        elif split is not None:
            try:
                inkml = read_inkml(file.data, _relative(file.path))
            except InkmlError as error:
                found.problems.append((error.file, error.reason, "left out"))
                continue
            found.problems += [(_relative(file.path), note, "kept") for note in inkml.notes]
            heap[split, file.path.stem].append(_record(inkml, file.path, split, captions))
    splits: defaultdict[str, list[Record]] = defaultdict(list)
    for (split, _), records in heap.items():
        kept = _without_doubles(records)
        found.doubles += len(records) - len(kept)
        splits[split] += kept if len(kept) == 1 else [_renamed(record) for record in kept]
    for split in sorted(splits):
        found.splits[split] = sorted(splits[split], key=lambda record: record.sample.key)
    _separate(found)
    return found


def _relative(path: PurePosixPath) -> str:
    """A member's path without the origin's own name."""
    return str(PurePosixPath(*path.parts[1:])) if len(path.parts) > 1 else str(path)


def _record(inkml: Inkml, path: PurePosixPath, split: str, captions: Captions | None) -> Record:
    truth = own_truth(inkml)
    label, source = truth.label, truth.source
    if not label and inkml.groups:
        # Nothing but the symbols is known: better than no label, and it is counted.
        names = sorted(
            inkml.groups, key=lambda g: min(inkml.ink.strokes[i][:, 0].min() for i in g.strokes)
        )
        label = captioned([token for g in names for token in mathml.symbol_tokens(g.truth)])
        source = "symbols"
    own = tuple(leaf.token for leaf in label)
    tokens = captions.get(split, path.stem) if captions else None
    if tokens is not None:
        label, source = captioned(tokens), "labels file"
    sample = Sample(
        key=path.stem,
        latex=inkml.latex or "",
        tokens=tuple(leaf.token for leaf in label),
        ink=aligned_ink(inkml, label, truth.math),
        extra={
            "writer": inkml.writer,
            "collection": collection_of(path, inkml.ui, inkml.annotations.get("copyright", "")),
            "file": _relative(path),
            "label_source": source,
        },
    )
    strokes = inkml.ink.strokes
    digest = hashlib.blake2b(np.concatenate(strokes).tobytes(), digest_size=16)
    digest.update(np.array([len(stroke) for stroke in strokes], dtype=np.int32).tobytes())
    wealth = (truth.source != "none", truth.math is not None, len(inkml.groups))
    return Record(sample, own, inkml.ui, digest.digest(), wealth)


def _without_doubles(records: list[Record]) -> list[Record]:
    """One record an ink: the one that says most, and among equals the one nearest to the top."""

    def rank(record: Record) -> tuple[tuple[bool, ...], int, str]:
        file = record.sample.extra["file"]
        return tuple(not bool(part) for part in record.wealth), file.count("/"), file

    kept: list[Record] = []
    for record in sorted(records, key=rank):
        if not any(record.is_same_ink(other) for other in kept):
            kept.append(record)
    return kept


def _renamed(record: Record) -> Record:
    """Different inks under one name are told apart by their folders."""
    sample = record.sample
    key = str(PurePosixPath(sample.extra["file"]).with_suffix(""))
    renamed = Sample(key, sample.latex, sample.tokens, sample.ink, sample.image, sample.extra)
    return Record(renamed, record.own, record.ui, record.digest, record.wealth)


def _separate(found: Collected) -> None:
    """Keeps the inks of the tests out of training."""
    elsewhere: set[bytes | str] = set()
    train = found.splits.get("train", [])
    trained = {mark for record in train for mark in _marks(record)}
    for split, records in found.splits.items():
        if split == "train":
            continue
        shared = [record for record in records if not trained.isdisjoint(_marks(record))]
        if int(split[-4:]) >= FIRST_SEPARATE_YEAR:
            elsewhere.update(mark for record in shared for mark in _marks(record))
        elif shared:
            found.shared[split] = len(shared)
    if elsewhere:
        kept = [record for record in train if elsewhere.isdisjoint(_marks(record))]
        found.withheld = len(train) - len(kept)
        found.splits["train"] = kept


def _marks(record: Record) -> set[bytes | str]:
    return {record.digest, record.ui} if record.ui else {record.digest}
