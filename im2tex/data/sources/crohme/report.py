"""What a person should know about a prepared CROHME store, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from im2tex.data.sources.crohme.labels import Captions
from im2tex.data.sources.crohme.scan import Collected, Record
from im2tex.latex.crohme.label_agreement import compare_labels, describe_agreement

TRAIN_FILES = {
    "HAMEX": 2484,
    "KAIST": 1051,
    "MathBrush": 2989,
    "MfrDB": 1666,
    "expressmatch": 620,
    "extension": 25,
}
"""Training inks by collection; MfrDB has one file more, MfrDB3088, which is empty."""

TESTS = {"test_2013": 671, "test_2014": 986, "test_2016": 1147, "test_2019": 1199}
"""Inks by test. Those of 2013 and 2014 belong to the release that everyone has."""

_NEEDED = ("test_2013", "test_2014")
_REMEDY = (
    "the package may be cut off or incomplete: give --from the whole of it, or a folder that holds "
    "all parts"
)


def lines(
    found: Collected, splits: Mapping[str, Sequence[Record]], captions: Captions | None
) -> list[str]:
    """The report.

    Args:
        found: what was read.
        splits: what is stored, by split.
        captions: the labels file, if one was given.
    """
    return [
        *_reading(found),
        *_counts(splits),
        *_labels(splits, captions),
        _symbols(splits),
        *_validation(splits),
    ]


def _reading(found: Collected) -> Iterator[str]:
    inks = sum(map(len, found.splits.values()))
    yield f"{found.files} InkML files read, {inks} inks kept"
    if found.problems:
        file, reason, outcome = found.problems[0]
        yield (
            f"warning: {len(found.problems)} with a problem (all in problems.tsv), the first: "
            f"{file}: {reason}; {outcome}"
        )
    if found.doubles:
        yield f"{found.doubles} files left out that hold an ink another file holds too"
    if found.other_tasks:
        yield f"{found.other_tasks} files of other tasks (symbols, matrices, artificial) left out"
    for folder, count in found.unplaced.most_common(5):
        yield (
            f"warning: {count} files in {folder} left out: nothing tells whether they are for "
            "training or for a test. Name a folder 'train' or 'test_YEAR' to say it"
        )
    if found.withheld:
        yield f"{found.withheld} inks left out of training because a test has them"
    for split, count in found.shared.items():
        yield f"warning: {count} inks of {split} are training inks too, as in the competition"


def _counts(splits: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    training = [*splits.get("train", ()), *splits.get("validation", ())]
    collections = Counter(record.sample.extra["collection"] for record in training)
    short = {
        name: f"{name} {collections[name]} of {count}"
        for name, count in TRAIN_FILES.items()
        if collections[name] < count
    }
    total = sum(TRAIN_FILES.values())
    further = len(training) - sum(collections[name] for name in TRAIN_FILES)
    if short:
        yield (
            f"warning: training inks are missing, {len(training) - further} of {total} are there "
            f"({', '.join(short.values())}); {_REMEDY}"
        )
    else:
        yield f"training inks: all {total} of CROHME 2014"
    if further:
        yield f"{further} training inks from other collections"
    for split, count in TESTS.items():
        have = len(splits.get(split, ()))
        if have == count:
            yield f"{split}: all {count} inks"
        elif have:
            yield f"warning: {split} has {have} inks where {count} belong; {_REMEDY}"
        elif split in _NEEDED:
            yield f"warning: {split} is missing ({count} inks); {_REMEDY}"


def _labels(splits: Mapping[str, Sequence[Record]], captions: Captions | None) -> Iterator[str]:
    sources = Counter(
        record.sample.extra["label_source"] for records in splits.values() for record in records
    )
    yield "labels from: " + ", ".join(f"{name} {n}" for name, n in sources.most_common())
    guessed = sources["best effort"] + sources["symbols"]
    if guessed:
        yield (
            f"warning: {guessed} labels are a best effort, since no truth in the file could be "
            "parsed: extra['label_source'] marks them"
        )
    if captions is None:
        return
    for split, records in splits.items():
        labelled = [r for r in records if r.sample.extra["label_source"] == "labels file"]
        if not labelled:
            yield f"{split}: {captions.path.name} labels none of its inks; their own truth is used"
            continue
        own = {record.sample.key: record.own for record in labelled}
        agreement = compare_labels(own, {r.sample.key: r.sample.tokens for r in labelled})
        for line in describe_agreement(agreement):
            yield f"{split}: own {line}" if not line.startswith(" ") else line


def _symbols(splits: Mapping[str, Sequence[Record]]) -> str:
    aligned = total = outside = 0
    for records in splits.values():
        for record in records:
            ink = record.sample.ink
            assert ink is not None
            total += len(ink.symbols)
            aligned += sum(symbol.position >= 0 for symbol in ink.symbols)
            grouped = {stroke for symbol in ink.symbols for stroke in symbol.strokes}
            outside += len(grouped) < len(ink.strokes)
    return (
        f"symbols: {aligned} of {total} stand for a known token of their label; {outside} inks "
        "have a stroke outside every symbol"
    )


def _validation(splits: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    train, validation = splits["train"], splits["validation"]
    by_collection = Counter(record.sample.extra["collection"] for record in validation)
    shares = ", ".join(f"{name} {n}" for name, n in sorted(by_collection.items()))
    labels = {record.sample.tokens for record in validation}
    yield (
        f"validation: {len(validation)} inks of {len(labels)} labels, none of them in train "
        f"({shares})"
    )
    known = {record.sample.extra["writer"] for record in train} - {""}
    named = [w for record in validation if (w := record.sample.extra["writer"])]
    both = [writer for writer in named if writer in known]
    yield (
        f"writers: of {len(set(named))} named in validation {len(set(both))} also write in train "
        f"({len(both)} of {len(validation)} inks; {len(validation) - len(named)} name no writer)"
    )
