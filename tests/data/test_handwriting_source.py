"""Tests of the source `handwriting`, with the built-in font."""

import shutil

import numpy as np
import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.dataset import FormulaDataset
from im2tex.data.preparation.handwriting import layouts
from im2tex.data.preparation.handwriting.selection import from_list, is_held_out
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES
from im2tex.data.sources.handwriting import HandwritingSource
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.handwriting import NATURAL, PAPER
from im2tex.latex.crohme.canonical import canonicalize

needs_tex = pytest.mark.skipif(shutil.which("latex") is None, reason="needs latex (TeX)")

FORMULAS = [
    rf"\frac{{{a}+{b}}}{{{c}}}=\sqrt{{{a}^{{2}}-{b}_{{{c}}}}}"
    for a in "abcd"
    for b in "xyz"
    for c in "123"
]
ARGS = {"formulas": "list", "labels": "crohme", "glyphs": "built-in", "validation": 0.3}


@pytest.fixture(scope="module")
def formulas(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "formulas.txt"
    path.write_text("\n".join(FORMULAS) + "\n")
    return path


@pytest.fixture(scope="module")
def root(formulas, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    HandwritingSource(**ARGS).prepare(root, str(formulas))
    return root


@needs_tex
def test_splits_are_disjoint_and_complete(root):
    source = HandwritingSource(**ARGS)
    splits = [source.split(root, name) for name in ("train", "validation")]
    labels = [{tuple(tokens) for tokens in split.tokens()} for split in splits]
    assert len(labels[0] | labels[1]) == len(FORMULAS) == sum(map(len, splits))
    assert not labels[0] & labels[1]
    assert 0.15 < len(splits[1]) / len(FORMULAS) < 0.45


def test_part_of_list_has_its_fraction_of_validation(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("\n".join(f"x+{number}" for number in range(1000)))
    chosen = from_list(path, tmp_path, "crohme", 200, 150).formulas
    assert 0.2 < sum(is_held_out(tokens, 0.3) for tokens in chosen) / len(chosen) < 0.4


@pytest.mark.parametrize("labels", ["crohme", "norm"])
def test_from_list_excludes_labels_of_crohmes_tests(tmp_path, labels):
    # As written below, the normal form has \le where CROHME's labels have \leq.
    held_out = tuple(canonicalize(r"\sum_{i=1}^n i \le 3"))
    sample = Sample("0", " ".join(held_out), held_out, typeset(["x"]))
    write_split(tmp_path / "crohme" / "test_2014.parquet", [sample], {})
    path = tmp_path / "formulas.txt"
    path.write_text("\n".join([r"\sum_{i=1}^n i \le 3", "x+1"]))
    chosen = from_list(path, tmp_path, labels, 10, 150)
    assert chosen.formulas == [("x", "+", "1")]
    assert ", 1 are labels of CROHME's" in chosen.lines[0]


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        ("", {}, "formulas.txt leaves no training samples: 0 of 0 formulas"),
        ("\n".join(FORMULAS), {"max_tokens": 3}, "leaves no training samples: 0 of 36"),
        ("\n".join(FORMULAS), {"max_tokens": 0}, "max_tokens must be >= 1, got 0"),
        (None, {}, "is a folder: source 'handwriting' needs a list"),
    ],
)
def test_prepare_without_formulas_keeps_earlier_store(tmp_path, given, settings, message):
    there = tmp_path / "handwriting" / "train.parquet"
    write_split(there, [], {})
    before = there.read_bytes()
    path = tmp_path / "formulas.txt"
    if given is None:
        path.mkdir()
    else:
        path.write_text(given)
    with pytest.raises(Im2TexError, match=message):
        HandwritingSource(**{**ARGS, **settings}).prepare(tmp_path, str(path))
    assert there.read_bytes() == before


def test_missing_formulas_error_names_source(tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    with pytest.raises(Im2TexError, match="source 'handwriting' needs formulas"):
        HandwritingSource(**ARGS).prepare(tmp_path)


@needs_tex
def test_empty_validation_is_reported(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("x+1\ny+2")
    done = HandwritingSource(**{**ARGS, "validation": 1e-6}).prepare(tmp_path, str(path))
    assert done.splits == {"train": 2, "validation": 0}
    assert any("validation is empty" in line for line in done.lines)


@needs_tex
def test_held_out_labels_of_crohme_are_excluded(root, formulas, tmp_path):
    held_out = [HandwritingSource(**ARGS).split(root, "train")[k] for k in range(3)]
    write_split(tmp_path / "crohme" / "test_2014.parquet", held_out, {})
    HandwritingSource(**ARGS).prepare(tmp_path, str(formulas))
    names = ("train", "validation")
    found = {
        t
        for n in names
        for t in map(tuple, Split(tmp_path / "handwriting" / f"{n}.parquet").tokens())
    }
    assert len(found) == len(FORMULAS) - 3
    assert not found & {one.tokens for one in held_out}


@needs_tex
def test_interrupted_preparation_resumes(root, formulas, tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "_CHUNK", 10)
    whole = HandwritingSource(**ARGS)
    calls = []
    row = layouts.LayoutBuilder._row

    def failing(self, key, tokens, layout):
        calls.append(key)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return row(self, key, tokens, layout)

    monkeypatch.setattr(layouts.LayoutBuilder, "_row", failing)
    with pytest.raises(KeyboardInterrupt):
        whole.prepare(tmp_path, str(formulas))
    assert not (tmp_path / "handwriting" / "train.parquet").exists()
    whole.prepare(tmp_path, str(formulas))
    assert len(calls) == 15 + len(FORMULAS) - 10  # the first part of ten was kept
    one, two = (Split(r / "handwriting" / "train.parquet") for r in (root, tmp_path))
    assert one.all_keys() == two.all_keys()
    assert not (tmp_path / "handwriting" / ".preparing").exists()


@needs_tex
def test_training_ink_changes_each_epoch_and_validation_ink_does_not(root):
    split = HandwritingSource(**ARGS).split(root, "train")
    preprocessing = Preprocessing(symbol_size=16)
    evaluation = FormulaDataset(split, preprocessing)
    assert torch.equal(evaluation[0, [0, 1]].images, evaluation[5, [0, 1]].images)
    for resample in (True, False):
        split = HandwritingSource(**ARGS, resample_strokes=resample).split(root, "train")
        training = FormulaDataset(split, preprocessing, TrainingAugmentation())
        assert torch.equal(training[0, [0]].images, training[0, [0]].images)
        same = torch.equal(training[0, [0]].images, training[1, [0]].images)
        assert same is not resample
        boxes = training[0, [0]].boxes[0]
        known = [
            token for token, box in zip(split[0].tokens, boxes, strict=False) if box[2] >= box[0]
        ]
        assert known == [token for token in split[0].tokens if token not in "{}^_"]


@needs_tex
def test_planned_size_is_close_to_image_size(root):
    split = HandwritingSource(**ARGS).split(root, "train")
    dataset = FormulaDataset(
        split, Preprocessing(symbol_size=16), TrainingAugmentation(0, Augmentation())
    )
    numbers = range(len(split))
    planned = dataset.planner.sizes(np.arange(len(split)), 3)[:, :2].prod(1)
    actual = np.array([dataset[3, [k]].sizes[0].tolist() for k in numbers]).prod(1)
    assert 0.8 < np.median(planned / actual) < 1.25


@needs_tex
def test_fit_and_test_run(root, tmp_path):
    settings = changed(TINY, data={"source": "handwriting", "source_args": ARGS, "batch_size": 8})
    path = config(tmp_path, changed(settings, data={"root": str(root)}), absolute=False)
    folder = ("--trainer.default_root_dir", tmp_path / "runs")
    assert im2tex("fit", "--config", path, *folder) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", checkpoint, *folder, "--report.engine", "none") == 0


@needs_tex
def test_formulas_per_epoch_differ_between_epochs(root, formulas, tmp_path):
    data = tmp_path / "data"
    arguments = {**ARGS, "count": 12, "formulas_per_epoch_from": str(formulas)}
    HandwritingSource(**arguments).prepare(data, str(formulas))
    settings = changed(
        TINY,
        trainer={"max_epochs": 3},
        data={"source": "handwriting", "source_args": arguments, "root": str(data)},
    )
    path = config(tmp_path, settings, absolute=False)
    folder = ("--trainer.default_root_dir", tmp_path / "runs")
    assert im2tex("fit", "--config", path, *folder) == 0

    def labels(name):
        return {tuple(t) for t in Split(data / "handwriting" / f"{name}.parquet").tokens()}

    first, second, third = map(labels, ("train", "train-1", "train-2"))
    assert min(map(len, (first, second, third))) > 4
    assert not first & second
    assert not (first | second | third) & labels("validation")
    assert not (data / "handwriting" / "train-3.parquet").exists()
    # A run that goes on at an epoch whose samples are gone makes the same again.
    (data / "handwriting" / "train-2.parquet").unlink()
    HandwritingSource(**arguments).epoch_splits.ensure_ready(data, 2, more=False)
    assert labels("train-2") == third


@needs_tex
def test_epoch_split_that_cannot_be_made_names_reason(root, tmp_path):
    source = HandwritingSource(**ARGS, formulas_per_epoch_from=str(tmp_path / "gone.txt"))
    with pytest.raises(Im2TexError, match=r"samples of epoch 1 cannot be made: .*gone\.txt"):
        source.epoch_splits.ensure_ready(root, 1, more=False)


@needs_tex
def test_terminated_epoch_split_is_complete_or_missing(root, formulas):
    source = HandwritingSource(**ARGS, formulas_per_epoch_from=str(formulas))
    source.epoch_splits.ensure_ready(root, 0, more=True)
    source.epoch_splits.close()
    assert "train-1" not in source.available(root) or len(source.split(root, "train-1"))
    source.epoch_splits.ensure_ready(root, 1, more=False)
    assert len(source.split(root, "train-1")) > 4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"count": 1}, "count must be >= 2, got 1"),
        ({"validation": 1.5}, "validation must be between 0 and 1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, complaint):
    with pytest.raises(Im2TexError, match=complaint):
        HandwritingSource(**settings)


def test_missing_files_are_named_with_command(formulas, tmp_path):
    with pytest.raises(Im2TexError, match="im2tex data glyphs --out"):
        HandwritingSource().prepare(tmp_path, str(formulas))
    with pytest.raises(Im2TexError, match="im2tex data prepare handwriting"):
        HandwritingSource().ensure(tmp_path)


@needs_tex
def test_ensure_refuses_store_of_other_settings(root):
    with pytest.raises(Im2TexError, match="max_tokens=20, made with 150"):
        HandwritingSource(**ARGS, max_tokens=20).ensure(root)


@pytest.mark.parametrize(
    ("old", "style", "resample"),
    [
        ({"manner": "faithful"}, PAPER, True),
        ({"manner": "natural", "fresh": False}, NATURAL, False),
        ({"stream": "formulas.txt"}, NATURAL, True),
    ],
)
def test_settings_and_store_of_older_version_are_used(tmp_path, old, style, resample):
    # The metadata that the versions with these names wrote.
    settings = {
        **{"formulas": "list", "labels": "crohme", "count": 75_000, "validation": 0.3},
        **{"max_tokens": 150, "seed": 0},
    }
    metadata = {"version": 1, "settings": settings, "epoch": 0, "manner": "faithful"}
    for split in ("train", "validation"):
        write_split(tmp_path / "handwriting" / f"{split}.parquet", [], metadata)
    with pytest.warns(FutureWarning, match="is the name of an older version"):
        source = SOURCES.build("handwriting", {**ARGS, **old})
    source.ensure(tmp_path)
    synthesizer = source.split(tmp_path, "train").synthesizer
    assert synthesizer.composer.style is style
    assert synthesizer.resample_strokes is resample
    assert source.formulas_per_epoch_from == old.get("stream")
