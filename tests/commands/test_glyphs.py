"""`im2tex data glyphs`: the bank, its coverage report and sheets."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_run import im2tex

from im2tex.data.sample import Sample
from im2tex.data.store import write_split
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.glyphs import GlyphBank
from im2tex.ink.ink import Ink

REAL = Path(os.environ.get("IM2TEX_DATA") or "nowhere") / "detexify"


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)


def written(latex, key="k", writer="ann"):
    ink = typeset(latex.split())
    ink = Ink(tuple(stroke * np.float32(100) for stroke in ink.strokes), ink.symbols)
    return Sample(
        key, latex, tuple(latex.split()), ink, extra={"writer": writer, "collection": "HAMEX"}
    )


@pytest.fixture
def stores(tmp_path):
    """A store of CROHME with three formulas in the built-in font."""
    formulas = ["x + 1", r"\frac { a } { b }", r"\sqrt { x } = 2"]
    samples = [written(latex, str(i)) for i, latex in enumerate(formulas)]
    root = tmp_path / "stores"
    write_split(root / "crohme" / "train.parquet", samples, {"source": "crohme", "split": "train"})
    return root


@pytest.fixture
def detexify(tmp_path):
    """A dump of two samples of one symbol."""
    path = tmp_path / "detexify.sql"
    rows = [f"{i}\tlatex2e-OT1-_alpha\t[[[0, 0, 1], [{10 + i}, 20, 2]]]" for i in range(2)]
    path.write_text("\n".join(["COPY samples (id, key, strokes) FROM stdin;", *rows, "\\."]))
    return path


def error(capsys, *arguments):
    capsys.readouterr()
    assert im2tex("data", "glyphs", *arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line.removeprefix("im2tex: error: ")


def test_glyphs_command_with_both_sources_reports_contents(tmp_path, stores, detexify, capsys):
    out = tmp_path / "made" / "bank.parquet"
    flags = ("--out", out, "--root", stores, "--detexify", detexify)
    assert im2tex("data", "glyphs", *flags) == 0
    text = capsys.readouterr().out
    assert "BY-NC-SA 3.0" in text
    assert "by 1 known writer;" in text
    assert "Open Database License (ODbL) 1.0" in text
    assert "crohme: 9 symbols: 9 own; 100.000% of 10 occur" in text
    bank = GlyphBank.load(out)
    assert bank.sources("x") == {"crohme": 2}
    assert bank.writers == ("HAMEX/ann",)
    assert bank.sources("\\frac") == {"crohme": 1}
    assert bank.sources("\\alpha") == {"detexify": 2}
    assert "BY-NC-SA" in bank.metadata["licences"]["crohme"]
    assert "ODbL" in bank.metadata["licences"]["detexify"]


def test_glyphs_command_without_data_uses_built_in_font(tmp_path, capsys):
    out = tmp_path / "bank.parquet"
    assert im2tex("data", "glyphs", "--out", out, "--root", tmp_path, "--list_all") == 0
    text = capsys.readouterr().out
    assert "im2tex data prepare crohme" in text
    assert "no prepared store" in text
    assert "Every symbol:" in text
    assert "kirel/detexify-data" in text
    assert "BY-NC-SA" not in text
    bank = GlyphBank.load(out)
    assert {bank.source(token, 0) for token in bank.tokens} <= {"built-in", "composed"}


def test_glyphs_command_sheets_are_saved_if_not_empty(tmp_path, stores, capsys):
    flags = ("--out", tmp_path / "b.parquet", "--root", stores, "--sheet", tmp_path / "s.png")
    assert im2tex("data", "glyphs", *flags, "--outlier_sheet", tmp_path / "l.png") == 0
    assert np.asarray(Image.open(tmp_path / "s.png")).min() == 0
    text = capsys.readouterr().out
    assert f"{tmp_path / 's.png'}\n" in text
    assert "l.png: not written" in text


def test_glyphs_command_crohme_accepts_store_or_its_parent(tmp_path, stores):
    out = tmp_path / "bank.parquet"
    for crohme in (stores, stores / "crohme"):
        assert im2tex("data", "glyphs", "--out", out, "--crohme", crohme) == 0
        assert GlyphBank.load(out).count("x") == 2


@pytest.mark.parametrize("split", ["validation", "test_2014"])
def test_glyphs_command_crohme_other_split_is_refused(tmp_path, stores, capsys, split):
    about = {"source": "crohme", "split": split}
    write_split(stores / "crohme" / "train.parquet", [written("x")], about)
    message = error(capsys, "--out", tmp_path / "b.parquet", "--root", stores)
    assert f"split '{split}' of source 'crohme'" in message
    assert not (tmp_path / "b.parquet").exists()


def test_glyphs_command_missing_input_is_an_error(tmp_path, capsys):
    out = ("--out", tmp_path / "b.parquet")
    assert "does not exist" in error(capsys, *out, "--crohme", tmp_path)
    assert "does not exist" in error(capsys, *out, "--detexify", tmp_path / "none")
    assert "none of detexify_strokes.jsonl" in error(capsys, *out, "--detexify", tmp_path)
    assert "--out" in error(capsys)


def test_glyphs_command_error_creates_no_files(tmp_path, stores, capsys):
    out = tmp_path / "new" / "folder" / "bank.parquet"
    page = tmp_path / "pages" / "sheet.png"
    flags = ("--out", out, "--root", stores, "--sheet", page)

    def written():
        return sorted(path for path in tmp_path.rglob("*") if ".arrow" not in path.parts)

    before = written()
    for wrong in (
        ("--detexify", tmp_path / "none"),
        ("--crohme", tmp_path / "none"),
        ("--outlier_sheet", tmp_path / "more" / "l.txt"),
        ("--outlier_sheet", stores / "crohme" / "train.parquet" / "l.png"),
    ):
        error(capsys, *flags, *wrong)
        assert written() == before, wrong
    # Stores whose formulas are counted are opened before the work, too.
    (stores / "other").mkdir()
    (stores / "other" / "train.parquet").write_text("no store")
    assert "other" in error(capsys, *flags)
    assert not out.parent.parent.exists()
    assert not page.parent.exists()


def test_glyphs_command_creates_folders_of_outputs(tmp_path, stores):
    page = tmp_path / "new" / "sheets" / "s.png"
    out = tmp_path / "b.parquet"
    assert im2tex("data", "glyphs", "--out", out, "--root", stores, "--sheet", page) == 0
    assert Image.open(page).format == "PNG"
    assert not [path for path in page.parent.iterdir() if path.suffix != ".png"]


def test_glyphs_command_unwritable_outputs_are_refused_first(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot write" in error(capsys, "--out", tmp_path / "file" / "b.parquet")
    assert "is a folder" in error(capsys, "--out", tmp_path)
    message = error(capsys, "--out", tmp_path / "b.parquet", "--sheet", tmp_path / "s.txt")
    assert "--sheet" in message
    assert ".png" in message


@pytest.mark.skipif(not REAL.is_dir(), reason="IM2TEX_DATA names no folder with Detexify's samples")
def test_glyphs_command_real_detexify_is_found_and_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IM2TEX_DATA", str(REAL.parent))
    out = tmp_path / "bank.parquet"
    assert im2tex("data", "glyphs", "--out", out, "--root", tmp_path) == 0
    bank = GlyphBank.load(out)
    assert bank.count("\\alpha") >= 50
    assert bank.count("\\mathbb{R}") >= 40
    assert bank.substitutes["D"] == ("\\mathcal{D}",)
    assert out.stat().st_size < 5e6
