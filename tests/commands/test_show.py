"""`im2tex data show`: samples of splits on one sheet."""

import numpy as np
import pytest
from PIL import Image

from im2tex.cli import main
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES
from im2tex.data.store import write_split
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.visualization.dataset_sheet import draw_dataset_sheet


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    SIZES_SOURCE.ensure(root)
    return root


SIZES = "{size_train: 12, size_validation: 4, size_test: 4}"
SIZES_SOURCE = SOURCES.build("grammar", {"size_train": 12, "size_validation": 4, "size_test": 4})


def show(root, out, *arguments):
    return main(["data", "show", *arguments, "--root", str(root), "--out", str(out)])


def test_show_draws_samples_chosen_by_seed(root, tmp_path, capsys):
    arguments = ["grammar:train", "--count", "6", "--columns", "3", "--source_args", SIZES]
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        assert show(root, path, *arguments, "--seed", str(seed)) == 0
    one, again, other = (np.asarray(Image.open(path).convert("L")) for path in paths)
    assert (one == again).all()
    assert (one != other).any()
    assert (one < 128).any()
    assert "6 of grammar:train" in capsys.readouterr().out


def test_show_uses_prepared_split_whatever_its_settings(tmp_path, capsys):
    ink = typeset(["x"])
    write_split(
        tmp_path / "handwriting" / "train.parquet",
        [Sample(str(k), "x", ("x",), ink) for k in range(3)],
        {"source": "handwriting", "settings": {"count": 3}},
    )
    given = ["handwriting:train", "--source_args", "{glyphs: built-in}"]
    assert show(tmp_path, tmp_path / "a.png", *given) == 0
    assert "3 of handwriting:train" in capsys.readouterr().out  # fewer than the default of 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grammar"], "expected SOURCE:SPLIT"),
        (["grammar:train", "--count", "0"], "--count must be >= 1"),
        (["nothing:train"], "unknown source 'nothing'"),
        (["grammar:test_2014", "--source_args", SIZES], "test_2014"),
        (["grammar:train", "--source_args", "[1]"], "must be a mapping"),
    ],
)
def test_show_wrong_options_are_refused(root, tmp_path, arguments, said, capsys):
    assert show(root, tmp_path / "a.png", *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_sample_sheet_shrinks_images_but_never_enlarges():
    small, wide = np.full((20, 10), 255, np.uint8), np.full((20, 4000), 255, np.uint8)
    sheet = np.asarray(draw_dataset_sheet({"a": [small, wide]}, columns=1).convert("L"))
    dark = (sheet[34:] < 128).sum(1)
    assert sorted(set(dark[dark > 0].tolist())) == [10, 288]
