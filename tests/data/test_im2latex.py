"""Tests of the source `im2latex`, with or without images, or with normal forms only."""

import gzip
import io
import lzma
import tarfile

import numpy as np
import pytest
from PIL import Image
from printed_factory import FakeRenderer, formula, opener, size_of

from im2tex.data.source import SOURCES
from im2tex.data.sources.im2latex import source as im2latex
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import normalize

INK = (30, 100)  # height and width of the ink on a page


@pytest.fixture
def renderer(monkeypatch):
    renderer = FakeRenderer()
    monkeypatch.setattr(im2latex, "open_renderer", opener(renderer))
    return renderer


@pytest.fixture
def release(tmp_path):
    """Nine formulas: a carriage return, Latin-1, one unreadable, one that cannot be rendered."""
    formulas = [formula(i) for i in range(9)]
    formulas[1] = formulas[1].replace(" + ", "\r+ ", 1)
    formulas[2] += r" \mbox{caf" + "\xe9}"
    formulas[3] += " + x^2_1"  # its two forms differ
    formulas[4] = formulas[8] = "{" * 3 + formula(4)
    formulas[7] = r"\bad" + formulas[7]
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "im2latex_formulas.lst").write_bytes("\n".join(formulas).encode("latin-1"))
    rows = {"train": [5, 1, 4, 3], "validate": [0], "test": [6, 2, 7, 8]}
    for name, indices in rows.items():
        lines = [f"{i} image{i} basic" for i in indices]
        (folder / f"im2latex_{name}.lst").write_text("\n".join(lines))  # no end on the last
    return folder


def page():
    """A page of the size of the released ones, with a bar on it."""
    pixels = np.full((2339, 1654), 255, np.uint8)
    pixels[300 : 300 + INK[0], 700 : 700 + INK[1]] = 0
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def splits(root, **settings):
    source = SOURCES.build("im2latex", settings)
    source.ensure(root)
    return {name: list(source.split(root, name)) for name in source.available(root)}


def prepare(root, origin):
    return SOURCES.build("im2latex").prepare(root, str(origin))


def test_pairs_match_and_test_split_keeps_every_formula(renderer, release, tmp_path):
    prepared = prepare(tmp_path, release)
    made = splits(tmp_path)
    assert [s.key for s in made["train"]] == ["image5", "image1", "image3"]
    assert [s.key for s in made["validation"]] == ["image0"]
    assert [s.key for s in made["test"]] == ["image6", "image2", "image7", "image8"]
    for sample in [*made["train"], *made["test"][:2]]:
        i = int(sample.key.removeprefix("image"))
        assert f"a_{{{i}}}" in sample.latex
        assert " ".join(sample.tokens) == normalize(sample.latex)
    unrendered, unreadable = made["test"][2:]
    assert unrendered.image is None
    assert unrendered.extra["failed"].endswith("Undefined control sequence.")
    assert unreadable.tokens[:3] == ("{{{a_{4}", "\\alpha^{10}", "+")  # the label is the markup
    report = "\n".join(prepared.lines)
    for line in (
        "train: 4 of the release's 83,884 formulas",
        "test: 4 of the release's 10,355 formulas",
        "train: skipped, cannot be read: 1",
        "test: kept, but cannot be read: 1",
        "test: 1 without an image, which count as wrong",
        "images: rendered from the formulas",
    ):
        assert line in report


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_released_pages_are_cropped_padded_and_downsampled(renderer, release, tmp_path, kind):
    pages = {f"image{i}.png": page() for i in (0, 1, 2, 3, 5, 6)}
    pages["image7.png"] = b"no image"
    if kind == "folder":
        (release / "formula_images").mkdir()
        for name, data in pages.items():
            (release / "formula_images" / name).write_bytes(data)
    else:
        with tarfile.open(release / "formula_images.tar.gz", "w:gz") as archive:
            for name, data in pages.items():
                entry = tarfile.TarInfo(f"formula_images/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    prepared = prepare(tmp_path, release)
    made = splits(tmp_path)
    assert not renderer.rendered
    assert [len(samples) for samples in made.values()] == [4, 3, 1]  # test, train, validation
    for sample in made["train"]:
        assert size_of(sample.image) == ((INK[1] + 16) // 2, (INK[0] + 16) // 2)
    images = {s.key: s.image for s in made["test"]}
    assert [key for key, image in images.items() if image is None] == ["image7", "image8"]
    report = "\n".join(prepared.lines)
    assert "1 without an image, which count as wrong: the image cannot be read" in report
    assert "1 without an image, which count as wrong: the image does not exist" in report


def test_normal_forms_alone_make_their_splits(renderer, release, tmp_path):
    folder = tmp_path / "normal"
    folder.mkdir()
    for name in ("test", "validate"):
        data = (release / f"im2latex_{name}.lst").read_bytes()
        (folder / f"im2latex_{name}.lst.xz").write_bytes(lzma.compress(data))
    (folder / "im2latex_train.lst.gz").write_bytes(
        gzip.compress((release / "im2latex_train.lst").read_bytes())
    )
    one, other = normalize(formula(2)), normalize(formula(6))
    rows = ["split\tformula_id\timage\tnorm_kaggle\tnorm_guillaume"]
    rows += [f"test\t2\timage2\tx\t{one}", f"test\t6\timage6\t{other}\t"]
    (folder / "forms.tsv.xz").write_bytes(lzma.compress(("\n".join(rows) + "\n").encode()))
    prepared = prepare(tmp_path, folder)
    made = splits(tmp_path)
    assert list(made) == ["test"]
    # In the released order, and by the second copy where there are both.
    assert [(s.key, " ".join(s.tokens)) for s in made["test"]] == [
        ("image6", other),
        ("image2", one),
    ]
    assert "test: 2 of the release's 10,355 formulas" in prepared.lines
    assert "warning: there are no formulas of train and validation" in prepared.lines
    with pytest.raises(Im2TexError, match="has no split 'train'"):
        SOURCES.build("im2latex").split(tmp_path, "train")


def test_labels_norm_and_tok(renderer, release, tmp_path):
    prepare(tmp_path, release)
    norm, tok = splits(tmp_path)["train"], splits(tmp_path, labels="tok")["train"]
    assert [s.key for s in norm] == [s.key for s in tok]
    assert " ".join(norm[2].tokens).endswith("x _ { 1 } ^ { 2 }")
    assert " ".join(tok[2].tokens).endswith("x ^ 2 _ 1")
    for one, other in zip(norm, tok, strict=True):
        assert " ".join(other.tokens) == normalize(one.latex, "tok")


def test_stale_split_is_reported(renderer, release, tmp_path):
    prepare(tmp_path, release)
    (release / "im2latex_validate.lst").unlink()
    prepared = prepare(tmp_path, release)
    assert any("validation.parquet is from an earlier" in line for line in prepared.lines)


def test_incomplete_releases_are_refused(renderer, release, tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    source = SOURCES.build("im2latex")
    with pytest.raises(Im2TexError, match=r"zenodo\.org/records/56198"):
        source.prepare(tmp_path)
    with pytest.raises(Im2TexError, match="does not exist"):
        prepare(tmp_path, tmp_path / "nowhere")
    with pytest.raises(Im2TexError, match=r"It has not been prepared|does not exist"):
        source.ensure(tmp_path)
    (release / "im2latex_test.lst").write_text("99 image99 basic")
    with pytest.raises(Im2TexError, match=r"names formula 99, but .* has 9"):
        prepare(tmp_path, release)
    (release / "im2latex_test.lst").write_text("word")
    with pytest.raises(Im2TexError, match="line 1: expected the index"):
        prepare(tmp_path, release)
    (release / "im2latex_test.lst").write_text("2 image2 basic")
    (release / "im2latex_formulas.lst").unlink()
    with pytest.raises(Im2TexError, match=r"neither im2latex_formulas\.lst nor a table"):
        prepare(tmp_path, release)
    with pytest.raises(Im2TexError, match="--labels"):
        source.prepare(tmp_path, str(release), release)


def test_archive_or_empty_table_is_refused(tmp_path):
    (tmp_path / "release.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty.tsv").write_text("split\timage\tnorm_guillaume\n")
    (tmp_path / "other.tsv").write_text("\x00a\tb\n1\t2\n")
    for name, reason in {
        "release.zip": "neither a folder nor a table .* Unpack an archive first",
        "empty.tsv": "empty.tsv has no formulas",
        "other.tsv": r"expected the columns split .*; has '\\x00a, b'",
    }.items():
        with pytest.raises(Im2TexError, match=reason):
            SOURCES.build("im2latex", {}).prepare(tmp_path, str(tmp_path / name))
