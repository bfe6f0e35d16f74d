"""The report on a prepared CROHME store, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from im2tex.data.sources.crohme.labels import Captions
from im2tex.data.sources.crohme.scan import CollectedInks, InkRecord
from im2tex.utils.wording import counted

TRAIN_FILES = {
    "HAMEX": 2484,
    "KAIST": 1051,
    "MathBrush": 2989,
    "MfrDB": 1666,
    "expressmatch": 620,
    "extension": 25,
}
"""Training samples by collection; MfrDB has one more file, MfrDB3088, which is empty."""

TESTS = {"test_2013": 671, "test_2014": 986, "test_2016": 1147, "test_2019": 1199}
"""Number of samples of each test split."""

_EXPECTED = ("test_2013", "test_2014")  # part of every package since 2014
_HINT = (
    "the package may be incomplete: pass the whole package, or a folder with all its parts, to "
    "--from"
)


def report_lines(
    found: CollectedInks, splits: Mapping[str, Sequence[InkRecord]], captions: Captions | None
) -> Iterator[str]:
    """Yields the lines of the report.

    Args:
        found: the samples of the raw data.
        splits: the stored samples of each split.
        captions: the labels file, if given.
    """
    yield from _files(found)
    yield from _counts(splits)
    yield from _labels(splits, captions)
    yield _symbols(splits)
    yield _validation(splits)


def _files(found: CollectedInks) -> Iterator[str]:
    kept = sum(map(len, found.splits.values()))
    yield f"{counted(found.files, 'InkML file')} read, {counted(kept, 'sample')} kept"
    if found.problems:
        file, reason, outcome = found.problems[0]
        yield (
            f"warning: {len(found.problems)} with a problem (all in problems.tsv), the first: "
            f"{file}: {reason}; {outcome}"
        )
    if found.duplicates:
        yield f"{counted(found.duplicates, 'file')} skipped that have the same ink as another file"
    if found.other_tasks:
        files = counted(found.other_tasks, "file")
        yield f"{files} of other tasks (symbols, matrices, artificial) skipped"
    for folder, count in found.unknown_split.most_common(5):
        yield (
            f"warning: {counted(count, 'file')} in {folder} skipped, because the split is unknown; "
            "name a folder 'train' or 'test_YEAR'"
        )
    if found.removed_from_train:
        samples = counted(found.removed_from_train, "sample")
        yield f"{samples} removed from training, in a test as well"
    for split, count in found.shared.items():
        samples = counted(count, "sample")
        yield f"warning: {samples} of {split} also in the training data, as in the competition"


def _counts(splits: Mapping[str, Sequence[InkRecord]]) -> Iterator[str]:
    training = [*splits.get("train", ()), *splits.get("validation", ())]
    collections = Counter(record.sample.extra["collection"] for record in training)
    short = [
        f"{name} {collections[name]} of {count}"
        for name, count in TRAIN_FILES.items()
        if collections[name] < count
    ]
    total = sum(TRAIN_FILES.values())
    known = sum(collections[name] for name in TRAIN_FILES)
    if short:
        yield f"warning: only {known} of {total} training samples ({', '.join(short)}); {_HINT}"
    else:
        yield f"training samples: all {total} of CROHME 2014"
    if len(training) > known:
        yield f"{counted(len(training) - known, 'training sample')} from other collections"
    for split, count in TESTS.items():
        present = len(splits.get(split, ()))
        if present == count:
            yield f"{split}: all {count} samples"
        elif present:
            yield f"warning: {split} has {counted(present, 'sample')}, expected {count}; {_HINT}"
        elif split in _EXPECTED:
            yield f"warning: {split} is missing ({count} samples); {_HINT}"


def _labels(splits: Mapping[str, Sequence[InkRecord]], captions: Captions | None) -> Iterator[str]:
    sources = Counter(
        record.sample.extra["label_source"] for records in splits.values() for record in records
    )
    yield "labels from: " + ", ".join(f"{name} {n}" for name, n in sources.most_common())
    estimated = sources["best effort"] + sources["symbols"]
    if estimated:
        yield (
            f"warning: {counted(estimated, 'label')} estimated, because no truth in the file could "
            "be parsed; extra['label_source'] marks them"
        )
    if captions is None:
        return
    for split, records in splits.items():
        labelled = [r for r in records if r.sample.extra["label_source"] == "labels file"]
        if not labelled:
            yield f"{split}: {captions.path.name} labels none of its samples; they keep their truth"
            continue
        equal = sum(record.own == record.sample.tokens for record in labelled)
        yield (
            f"{split}: own labels agree on {equal} of {len(labelled)} "
            f"({100 * equal / len(labelled):.2f} %)"
        )


def _symbols(splits: Mapping[str, Sequence[InkRecord]]) -> str:
    inks = (record.sample.ink for records in splits.values() for record in records)
    aligned = [symbol.position >= 0 for ink in inks if ink is not None for symbol in ink.symbols]
    return f"symbols: {sum(aligned)} of {len(aligned)} are aligned with a token of their label"


def _validation(splits: Mapping[str, Sequence[InkRecord]]) -> str:
    train, validation = splits["train"], splits["validation"]
    labels = {record.sample.tokens for record in validation}
    writers, known = (
        {record.sample.extra["writer"] for record in records} - {""}
        for records in (validation, train)
    )
    return (
        f"validation: {counted(len(validation), 'sample')} of {counted(len(labels), 'label')}, "
        f"none of them in train; {counted(len(writers), 'named writer')}, {len(writers & known)} "
        "of them also in train"
    )
