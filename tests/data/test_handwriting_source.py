"""Source `handwriting`: prepared with the built-in font, written by hand when it is loaded."""

import shutil

import numpy as np
import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.dataset import FormulaDataset
from im2tex.data.preparation.handwriting import layouts
from im2tex.data.preparation.handwriting.selection import held, listed
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.data.sources.handwriting import HandwritingSource
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.builtin_font.typeset import typeset
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
def test_every_formula_is_in_one_split_and_none_in_two(root):
    source = HandwritingSource(**ARGS)
    splits = [source.split(root, name) for name in ("train", "validation")]
    labels = [{tuple(tokens) for tokens in split.tokens()} for split in splits]
    assert len(labels[0] | labels[1]) == len(FORMULAS) == sum(map(len, splits))
    assert not labels[0] & labels[1]
    assert 0.15 < len(splits[1]) / len(FORMULAS) < 0.45


def test_a_part_of_a_list_has_its_share_of_validation(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("\n".join(f"x+{number}" for number in range(1000)))
    chosen = listed(path, tmp_path, "crohme", 200, 150).formulas
    assert 0.2 < sum(held(tokens, 0.3) for tokens in chosen) / len(chosen) < 0.4


@pytest.mark.parametrize("labels", ["crohme", "norm"])
def test_no_form_of_a_list_holds_labels_of_crohmes_tests(tmp_path, labels):
    # As written below, the normal form has \le where CROHME's labels have \leq.
    held_out = tuple(canonicalize(r"\sum_{i=1}^n i \le 3"))
    sample = Sample("0", " ".join(held_out), held_out, typeset(["x"]))
    write_split(tmp_path / "crohme" / "test_2014.parquet", [sample], {})
    path = tmp_path / "formulas.txt"
    path.write_text("\n".join([r"\sum_{i=1}^n i \le 3", "x+1"]))
    chosen = listed(path, tmp_path, labels, 10, 150)
    assert chosen.formulas == [("x", "+", "1")]
    assert ", 1 are labels of CROHME's" in chosen.lines[0]


@pytest.mark.parametrize(
    ("given", "settings", "said"),
    [
        ("", {}, "formulas.txt leaves nothing to train on: 0 of 0 formulas"),
        ("\n".join(FORMULAS), {"max_tokens": 3}, "leaves nothing to train on: 0 of 36"),
        ("\n".join(FORMULAS), {"max_tokens": 0}, "max_tokens=0 must be at least 1"),
        (None, {}, "is a folder: source 'handwriting' needs a list"),
    ],
)
def test_a_store_is_not_made_of_nothing(tmp_path, given, settings, said):
    there = tmp_path / "handwriting" / "train.parquet"
    write_split(there, [], {})
    before = there.read_bytes()
    path = tmp_path / "formulas.txt"
    if given is None:
        path.mkdir()
    else:
        path.write_text(given)
    with pytest.raises(Im2TexError, match=said):
        HandwritingSource(**{**ARGS, **settings}).prepare(tmp_path, str(path))
    assert there.read_bytes() == before


def test_formulas_are_asked_for_in_the_sources_own_name(tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    with pytest.raises(Im2TexError, match="source 'handwriting' needs formulas"):
        HandwritingSource(**ARGS).prepare(tmp_path)


@needs_tex
def test_a_store_of_few_formulas_says_that_nothing_is_held_out(tmp_path):
    path = tmp_path / "formulas.txt"
    path.write_text("x+1\ny+2")
    done = HandwritingSource(**{**ARGS, "validation": 1e-6}).prepare(tmp_path, str(path))
    assert done.splits == {"train": 2, "validation": 0}
    assert any(line.startswith("validation is empty") for line in done.lines)


@needs_tex
def test_held_out_labels_of_crohme_are_kept_out(root, formulas, tmp_path):
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
def test_an_interrupted_preparation_goes_on(root, formulas, tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "_PART", 10)
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
def test_training_writes_anew_each_epoch_and_validation_always_the_same(root):
    split = HandwritingSource(**ARGS).split(root, "train")
    preprocessing = Preprocessing(symbol_size=16)
    evaluation = FormulaDataset(split, preprocessing)
    assert torch.equal(evaluation[0, [0, 1]].images, evaluation[5, [0, 1]].images)
    for fresh in (True, False):
        split = HandwritingSource(**ARGS, fresh=fresh).split(root, "train")
        training = FormulaDataset(split, preprocessing, TrainingAugmentation())
        assert torch.equal(training[0, [0]].images, training[0, [0]].images)
        same = torch.equal(training[0, [0]].images, training[1, [0]].images)
        assert same is not fresh
        boxes = training[0, [0]].boxes[0]
        known = [
            token for token, box in zip(split[0].tokens, boxes, strict=False) if box[2] >= box[0]
        ]
        assert known == [token for token in split[0].tokens if token not in "{}^_"]


@needs_tex
def test_sizes_are_foretold_without_writing(root):
    split = HandwritingSource(**ARGS).split(root, "train")
    dataset = FormulaDataset(
        split, Preprocessing(symbol_size=16), TrainingAugmentation(0, Augmentation())
    )
    numbers = range(len(split))
    foretold = np.array([dataset.size(k, 3)[:2] for k in numbers]).prod(1)
    drawn = np.array([dataset[3, [k]].sizes[0].tolist() for k in numbers]).prod(1)
    assert 0.8 < np.median(foretold / drawn) < 1.25


@needs_tex
def test_a_fit_on_it_runs_and_its_checkpoint_tests(root, tmp_path):
    settings = changed(TINY, data={"source": "handwriting", "source_args": ARGS, "batch_size": 8})
    path = config(tmp_path, changed(settings, data={"root": str(root)}), absolute=False)
    folder = ("--trainer.default_root_dir", tmp_path / "runs")
    assert im2tex("fit", "--config", path, *folder) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", checkpoint, *folder, "--report.engine", "none") == 0


@needs_tex
def test_each_epoch_of_a_stream_has_formulas_of_its_own(root, formulas, tmp_path):
    data = tmp_path / "data"
    arguments = {**ARGS, "count": 12, "stream": str(formulas)}
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
def test_a_stream_that_cannot_go_on_says_why(root, tmp_path):
    source = HandwritingSource(**ARGS, stream=str(tmp_path / "gone.txt"))
    with pytest.raises(Im2TexError, match=r"samples of epoch 1 cannot be made: .*gone\.txt"):
        source.epoch_splits.ensure_ready(root, 1, more=False)


@needs_tex
def test_a_set_that_is_made_when_the_run_ends_is_left_whole_or_out(root, formulas):
    source = HandwritingSource(**ARGS, stream=str(formulas))
    source.epoch_splits.ensure_ready(root, 0, more=True)
    source.epoch_splits.close()
    assert "train-1" not in source.available(root) or len(source.split(root, "train-1"))
    source.epoch_splits.ensure_ready(root, 1, more=False)
    assert len(source.split(root, "train-1")) > 4


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"count": 1}, "count=1 must be at least 2"),
        ({"validation": 1.5}, "validation=1.5 is a share"),
    ],
)
def test_wrong_settings_are_named(settings, complaint):
    with pytest.raises(Im2TexError, match=complaint):
        HandwritingSource(**settings)


def test_what_is_missing_is_named_with_the_way_out(formulas, tmp_path):
    with pytest.raises(Im2TexError, match="im2tex data glyphs --out"):
        HandwritingSource().prepare(tmp_path, str(formulas))
    with pytest.raises(Im2TexError, match="im2tex data prepare handwriting"):
        HandwritingSource().ensure(tmp_path)


@needs_tex
def test_other_settings_than_the_stores_are_named(root):
    with pytest.raises(Im2TexError, match="max_tokens 150 there, 20 asked for"):
        HandwritingSource(**ARGS, max_tokens=20).ensure(root)
