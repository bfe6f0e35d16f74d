"""The real CROHME: verified counts, agreement with the captions in use, alignment.

Needs IM2TEX_DATA, a folder with crohme/crohme_2014.tar.xz and crohme/captions.tsv.
"""

import csv
import os
from pathlib import Path

import pytest

from im2tex.data.sources.crohme.source import CrohmeSource


@pytest.fixture(scope="module")
def data() -> Path:
    folder = os.environ.get("IM2TEX_DATA")
    if not folder:
        pytest.skip("IM2TEX_DATA is not set: it names the folder with crohme/crohme_2014.tar.xz")
    for name in ("crohme_2014.tar.xz", "captions.tsv"):
        if not (Path(folder) / "crohme" / name).exists():
            pytest.skip(f"there is no crohme/{name} in IM2TEX_DATA ({folder})")
    return Path(folder) / "crohme"


@pytest.fixture(scope="module")
def prepared(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("crohme")
    report = CrohmeSource().prepare(root, str(data / "crohme_2014.tar.xz"))
    samples = {name: list(CrohmeSource().split(root, name)) for name in report.splits}
    return report, samples


def test_counts_of_splits(prepared):
    report, samples = prepared
    assert len(samples["train"]) + len(samples["validation"]) == 8835
    assert len(samples["test_2013"]) == 671
    assert len(samples["test_2014"]) == 986
    assert "training samples: all 8835 of CROHME 2014" in report.lines
    (problem,) = [line for line in report.lines if line.startswith("warning")]
    assert "MfrDB3088.inkml: the file is empty" in problem


def test_labels_agree_with_captions(prepared, data):
    _, samples = prepared
    with (data / "captions.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    theirs = {row["inkml"]: row["label"].split() for row in rows}
    groups = {
        "train": samples["train"] + samples["validation"],
        "test_2013": samples["test_2013"],
        "test_2014": samples["test_2014"],
    }
    # Published captions agree on 98.5, 96 and 98 % at least.
    least = {"train": 0.99, "test_2013": 0.99, "test_2014": 0.99}
    for split, group in groups.items():
        equal = sum(list(s.tokens) == theirs[s.extra["file"]] for s in group)
        assert equal / len(group) >= least[split], split


def test_validation_is_disjoint_and_proportional(prepared):
    _, samples = prepared
    train, validation = samples["train"], samples["validation"]
    assert not {s.tokens for s in train} & {s.tokens for s in validation}
    for collection in ("HAMEX", "KAIST", "MathBrush", "MfrDB", "expressmatch", "extension"):
        sizes = [
            sum(s.extra["collection"] == collection for s in part) for part in (train, validation)
        ]
        assert 0.07 < sizes[1] / sum(sizes) < 0.13, collection


def test_symbols_are_aligned_with_tokens(prepared):
    _, samples = prepared
    symbols = [
        (symbol, sample)
        for group in samples.values()
        for sample in group
        for symbol in sample.ink.symbols
    ]
    aligned = [(symbol, sample) for symbol, sample in symbols if symbol.position >= 0]
    assert len(aligned) > 0.999 * len(symbols)
    for symbol, sample in aligned:
        token = sample.tokens[symbol.position]
        assert symbol.token == ("-" if token == "\\frac" else token)


def test_samples_have_label_and_ink(prepared):
    _, samples = prepared
    for group in samples.values():
        for sample in group:
            assert sample.tokens
            assert sample.ink.strokes
