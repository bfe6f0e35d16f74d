"""Tests of the source `folder`."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from im2tex.data.datamodule import FormulaDataModule
from im2tex.data.source import SOURCES
from im2tex.data.sources.folder.source import FolderSource
from im2tex.errors import Im2TexError

INKML = """<ink xmlns="http://www.w3.org/2003/InkML">
<annotation type="truth">$x^2$</annotation>
<trace id="0">0 0, 10 10, 20 0</trace>
</ink>"""


def image(path, level=0):
    pixels = np.full((20, 30), 255, dtype=np.uint8)
    pixels[5:9, 4:20] = level
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "mine"
    for i in range(12):
        image(place / f"{i:02d}.png")
    image(place / "deep" / "photo.JPEG")
    (place / "ink.inkml").write_text(INKML)
    (place / "notes.md").write_text("not a formula")
    (place / ".hidden.png").write_bytes(b"")
    return place


def by_key(source, root, split):
    return {s.key: s for s in source.split(root, split)}


def test_prepare_without_labels_fills_all(folder, tmp_path):
    (folder / "ink.inkml").write_text(INKML.replace('type="truth"', 'type="other"'))
    source = FolderSource(str(folder))
    prepared = source.prepare(tmp_path / "root")
    assert prepared.splits == {"all": 14}
    found = by_key(source, tmp_path / "root", "all")
    assert {"00.png", "deep/photo.JPEG", "ink.inkml"} <= set(found)
    assert found["00.png"].image == (folder / "00.png").read_bytes()
    assert found["00.png"].tokens == ()
    assert len(found["ink.inkml"].ink.strokes) == 1


@pytest.mark.parametrize("kind", ["tsv", "txt", "jsonl"])
def test_labels_are_split_by_label(folder, tmp_path, kind):
    rows = [(f"{i:02d}.png", f"a_{{{i // 2}}}") for i in range(12)] + [("deep/photo.JPEG", "x^2")]
    if kind == "jsonl":
        lines = [json.dumps({"file": file, "latex": latex}) for file, latex in rows]
    else:
        lines = ["# mine", "", *(f"./{file}\t{latex}" for file, latex in rows)]
    (folder / f"labels.{kind}").write_text("\r\n".join(lines), encoding="utf-8-sig")
    source = SOURCES.build("folder", {"path": str(folder), "validation": 0.3})
    prepared = source.prepare(tmp_path)
    train, held = by_key(source, tmp_path, "train"), by_key(source, tmp_path, "validation")
    assert prepared.splits == {"all": 14, "train": len(train), "validation": len(held)}
    assert len(train) + len(held) == 14
    assert not {s.tokens for s in train.values()} & {s.tokens for s in held.values()}
    both = train | held
    assert both["03.png"].tokens == ("a", "_", "{", "1", "}")
    assert both["03.png"].latex == "a_{1}"
    assert both["ink.inkml"].tokens == both["deep/photo.JPEG"].tokens == ("x", "^", "{", "2", "}")


def test_labels_file_and_folder_from_arguments(folder, tmp_path):
    labels = tmp_path / "elsewhere.tsv"
    labels.write_text("00.png\tx\n01.png\ty\n")
    source = FolderSource(validation=0.5)
    prepared = source.prepare(tmp_path / "root", raw_data=str(folder), labels=labels)
    # Two labels here, x^2 in the InkML file: three, of which one or two are held out.
    sizes = prepared.splits
    assert sizes["all"] == 14
    assert sorted((sizes["train"], sizes["validation"])) == [1, 2]


def test_unreadable_files_are_reported(folder, tmp_path):
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "cut.inkml").write_text(INKML[:80])
    image(folder / "blank.png", level=255)
    (folder / "labels.tsv").write_text("00.png\tx\n01.png\t\\frac{\ngone.png\ty\n02.png\ty\n")
    source = FolderSource(str(folder))
    prepared = source.prepare(tmp_path)
    assert prepared.splits["all"] == 14
    report = "\n".join(prepared.lines)
    for name in ("broken.png", "cut.inkml", "blank.png", "01.png", "gone.png"):
        assert f"{name}: " in report
    assert "5 problems" in report
    assert source.split(tmp_path, "all").metadata["problems"] == prepared.lines[2:]
    assert by_key(source, tmp_path, "all")["01.png"].tokens == ()


def test_folder_with_two_labels_has_both_splits(folder, tmp_path):
    (folder / "ink.inkml").unlink()
    for pair in ("xy", "ab", "pq", "12"):
        (folder / "labels.tsv").write_text(f"00.png\t{pair[0]}\n01.png\t{pair[1]}\n")
        source = FolderSource(str(folder))
        assert source.prepare(tmp_path).splits == {"all": 13, "train": 1, "validation": 1}


def test_ensure_remakes_store_after_changes(folder, tmp_path):
    source = FolderSource(str(folder))
    source.ensure(tmp_path)
    before = source.path(tmp_path, "all").stat().st_mtime_ns
    source.ensure(tmp_path)
    assert source.path(tmp_path, "all").stat().st_mtime_ns == before
    image(folder / "new.png")
    source.ensure(tmp_path)
    assert "new.png" in by_key(source, tmp_path, "all")
    (folder / "labels.tsv").write_text("00.png\tx\n01.png\ty\n")
    source.ensure(tmp_path)
    assert "train" in source.available(tmp_path)
    (folder / "labels.tsv").unlink()
    (folder / "ink.inkml").unlink()
    source.ensure(tmp_path)
    assert source.available(tmp_path) == ["all"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("00.png x\n", "line 1: expected file<TAB>latex"),
        ("00.png\tx\n00.png\ty\n", "line 2: 00.png has a different label"),
    ],
)
def test_malformed_labels_file_names_line(folder, tmp_path, text, message):
    (folder / "labels.tsv").write_text(text)
    with pytest.raises(Im2TexError, match=message):
        FolderSource(str(folder)).prepare(tmp_path)


def test_folder_without_samples_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Im2TexError, match="has no PNG"):
        FolderSource(str(tmp_path / "empty")).prepare(tmp_path)
    with pytest.raises(Im2TexError, match=r"none does not exist\. Pass a folder"):
        FolderSource(str(tmp_path / "none")).ensure(tmp_path)
    (tmp_path / "a.zip").touch()
    with pytest.raises(
        Im2TexError, match=r"is not a folder\. Pass a folder .* unpack an archive first"
    ):
        FolderSource(str(tmp_path / "a.zip")).prepare(tmp_path)
    with pytest.raises(Im2TexError, match="needs a folder"):
        FolderSource().ensure(tmp_path)
    (tmp_path / "empty" / "x.png").write_bytes(b"")
    with pytest.raises(Im2TexError, match="0 of 1 file in"):
        FolderSource(str(tmp_path / "empty")).prepare(tmp_path)
    with pytest.raises(Im2TexError, match="labels file"):
        FolderSource(str(tmp_path / "empty"), labels="nowhere.tsv").prepare(tmp_path)
    with pytest.raises(Im2TexError, match="validation must be from 0 to below 1"):
        FolderSource(validation=1.0)


def test_ensure_prints_problems_each_time(tmp_path, capsys):
    image = Image.new("L", (40, 30), 255)
    image.paste(0, (10, 10, 20, 20))
    folder = tmp_path / "images"
    folder.mkdir()
    image.save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"no image")
    source = FolderSource(path=str(folder))
    for _ in range(2):
        source.ensure(tmp_path / "data")
        report = capsys.readouterr().err
        assert "1 problem:" in report
        assert "bad.png" in report


def problems(root):
    with (root / "folder" / "problems.tsv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize(
    "name",
    [
        *("a.bmp", "a.webp", "a.tif", "a.TIFF", "a.gif", "a.ppm", "a.pgm", "a.jfif", "a.JPG"),
        *("a.jp2", "a.pcx", "a.dib"),
    ],
)
def test_image_of_every_format_is_read(tmp_path, name):
    image(tmp_path / "in" / name)
    (tmp_path / "in" / "labels.tsv").write_text(f"{name}\tx\n")
    source = FolderSource(str(tmp_path / "in"), validation=0)
    assert source.prepare(tmp_path).splits == {"all": 1, "train": 1}
    assert problems(tmp_path) == {}


def test_files_without_ending_are_detected_by_content(tmp_path):
    image(tmp_path / "in" / "x.png")
    (tmp_path / "in" / "x.png").rename(tmp_path / "in" / "x")
    (tmp_path / "in" / "ink.xml").write_text(INKML)
    (tmp_path / "in" / "program.exe").write_bytes(b"MZ" + bytes(100))
    (tmp_path / "in" / "README").write_text("BM and II* are no images")
    FolderSource(str(tmp_path / "in")).prepare(tmp_path)
    found = by_key(FolderSource(), tmp_path, "all")
    assert set(found) == {"x", "ink.xml"}
    assert found["ink.xml"].tokens == ("x", "^", "{", "2", "}")


@pytest.mark.timeout(60)
def test_links_pipes_and_empty_files_are_reported(tmp_path):
    place, outside = tmp_path / "in", tmp_path / "outside"
    image(place / "a.png")
    image(outside / "b.png")
    (place / "inside.png").symlink_to("a.png")
    (place / "outside.png").symlink_to(outside / "b.png")
    (place / "far").symlink_to(outside)
    (outside / "back").symlink_to(place)
    (place / "self").symlink_to(".")
    (place / "up").symlink_to("..")
    (place / "broken.png").symlink_to("nowhere.png")
    (place / "loop.png").symlink_to("loop.png")
    (place / "empty.png").write_bytes(b"")
    (place / "empty.inkml").write_bytes(b"")
    (place / "paper.pdf").write_bytes(b"%PDF-1.4 ...")
    os.mkfifo(place / "pipe.png")
    (place / os.fsdecode(b"\xe9.png")).write_bytes((place / "a.png").read_bytes())
    (place / "labels.tsv").write_text("pipe.png\tx\na.png\ty\n")
    source = FolderSource(str(place))
    source.prepare(tmp_path)
    found = set(by_key(source, tmp_path, "all"))
    assert found == {"a.png", "inside.png", "outside.png", "far/b.png"}
    named = problems(tmp_path)
    without = dict.fromkeys(("inside.png", "outside.png", "far/b.png"), "kept without a label")
    assert {name: row["outcome"] for name, row in named.items()} == without | dict.fromkeys(
        (
            *("up", "broken.png", "loop.png", "empty.png", "empty.inkml", "paper.pdf"),
            *("pipe.png", "\\xe9.png"),
        ),
        "skipped",
    )
    assert "empty" in named["empty.png"]["reason"]
    assert str(place) not in " ".join(row["reason"] for row in named.values())


def test_problems_have_outcomes(tmp_path):
    for name in ("a.png", "b.png", "c.png", "c.jpg", "d.png", "e.png"):
        image(tmp_path / "in" / name)
    (tmp_path / "in" / "own.inkml").write_text(INKML)  # has its own label
    (tmp_path / "in" / "labels.tsv").write_text(
        "a.png\t\\frac{\ngone.png\ty\nc\tz\nd.jpg\tx\nd.bmp\ty\nb\tx\n"
    )
    report = FolderSource(str(tmp_path / "in")).prepare(tmp_path)
    assert report.lines[0] == (
        "7 of 7 files read, 2 labelled; 3 without a line in the labels file, see problems.tsv"
    )
    without = problems(tmp_path)["e.png"]
    assert without["reason"] == "no line of the labels file is for it"
    assert {name: row["outcome"] for name, row in problems(tmp_path).items()} == {
        "a.png": "kept without a label",
        "gone.png": "label not used",
        "c": "label not used",
        **dict.fromkeys(("c.jpg", "c.png", "d.png", "e.png"), "kept without a label"),
    }


def test_images_without_labels_file_are_no_problems(tmp_path):
    image(tmp_path / "in" / "a.png")
    report = FolderSource(str(tmp_path / "in")).prepare(tmp_path)
    assert report.lines[0] == "1 of 1 file read, 0 labelled"
    assert problems(tmp_path) == {}


def test_caption_txt_names_without_ending(tmp_path):
    for year in ("2014", "2016"):
        image(tmp_path / year / "img" / "own_0.bmp")
        (tmp_path / year / "caption.txt").write_text("own_0\tx ^ { 2 }\n")
    source = FolderSource(str(tmp_path / "2014"), validation=0)
    assert source.prepare(tmp_path / "root").splits == {"all": 1, "train": 1}
    both = FolderSource(str(tmp_path))
    with pytest.raises(Im2TexError, match=r"several labels files: 2014/caption.txt, 2016/caption"):
        both.prepare(tmp_path / "root")
    with pytest.raises(Im2TexError, match="--labels"):
        both.ensure(tmp_path / "root")


def test_labels_by_relative_path(tmp_path, monkeypatch):
    image(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "labels.txt").write_text("a.png\tx\n")
    monkeypatch.chdir(tmp_path)
    prepared = FolderSource("in", validation=0).prepare(tmp_path, labels=Path("in/labels.txt"))
    assert prepared.splits == {"all": 1, "train": 1}
    assert len(prepared.lines) == 1


def test_unused_labels_files_are_reported(tmp_path):
    image(tmp_path / "in" / "sub" / "a.png")
    (tmp_path / "in" / "formulas.txt").write_text("a.png\tx\n")
    source = FolderSource(str(tmp_path / "in"), validation=0)
    (line,) = source.prepare(tmp_path).lines[1:]
    assert "expected labels.tsv, .csv" in line
    assert "Found: formulas.txt" in line
    (tmp_path / "in" / "sub" / "labels.csv").write_text("file,latex\na.png,x\n")
    assert source.prepare(tmp_path).splits == {"all": 1, "train": 1}
    (tmp_path / "in" / "labels.json").write_text('{"sub/a.png": "y"}')
    assert "not used: sub/labels.csv" in source.prepare(tmp_path).lines[-1]
    assert by_key(source, tmp_path, "train")["sub/a.png"].latex == "y"


def test_names_in_another_unicode_form_match(tmp_path):
    image(tmp_path / "in" / "e\u0301quation.png")
    image(tmp_path / "in" / "\u00fc.png")
    (tmp_path / "in" / "labels.tsv").write_text(
        "\u00e9quation.png\tx\nu\u0308.png\ty\n", encoding="utf-16"
    )
    FolderSource(str(tmp_path / "in"), validation=0).prepare(tmp_path)
    found = by_key(FolderSource(), tmp_path, "train")
    assert found["e\u0301quation.png"].latex == "x"
    assert found["\u00fc.png"].latex == "y"


def test_relative_folder_is_found_from_another_directory(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = FormulaDataModule("folder", {"path": "mine"}, root=str(tmp_path / "root"))
    kept = data.hparams["source_args"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert kept == {"path": str(folder)}
    source = SOURCES.build("folder", kept)
    source.ensure(tmp_path / "root")
    written = source.path(tmp_path / "root", "all").stat().st_mtime_ns
    data.source.ensure(tmp_path / "root")
    assert source.path(tmp_path / "root", "all").stat().st_mtime_ns == written
