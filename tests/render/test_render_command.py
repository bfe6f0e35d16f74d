"""`im2tex render`: an image per line, and the report."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from render_samples import ATTACKS, needs_tex

from im2tex.cli import main


def render(formulas, folder, *options):
    path = folder.parent / "formulas.txt"
    path.write_bytes(formulas if isinstance(formulas, bytes) else "\n".join(formulas).encode())
    status = main(["render", str(path), str(folder), "--no-cache", *options])
    text = (folder / "report.jsonl").read_text(encoding="utf-8")
    return status, [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def mathtext():
    pytest.importorskip("matplotlib", reason="needs matplotlib (engine builtin)")


@needs_tex
def test_render_command_writes_an_image_per_line(out, capsys):
    status, report = render(["x^2", r"\input{x}", "", "y", "{"], out)
    assert status == 1
    assert [entry["line"] for entry in report] == [0, 1, 2, 3, 4]
    assert [entry["file"] for entry in report] == ["000000.png", None, None, "000003.png", None]
    assert [entry.get("cause") for entry in report] == [
        None,
        "refused",
        "blank",
        None,
        "unreadable",
    ]
    assert sorted(p.name for p in out.iterdir()) == ["000000.png", "000003.png", "report.jsonl"]
    picture = np.asarray(Image.open(out / "000003.png"))
    assert list(picture.shape) == [report[3]["height"], report[3]["width"]]
    assert all("tex:" in entry["signature"] and "dpi:200" in entry["signature"] for entry in report)
    said = capsys.readouterr().err
    assert "2 of 5 formulas drawn by engine tex" in said
    assert "Details: " in said
    assert "report.jsonl" in said


@needs_tex
def test_render_command_removes_previous_images(out):
    assert render(["x", "y", "z"], out)[0] == 0
    status, _ = render(["x", r"\foo"], out)
    assert status == 1
    assert sorted(p.name for p in out.iterdir()) == ["000000.png", "report.jsonl"]


def test_render_command_keeps_images_that_no_report_lists(out, mathtext):
    assert render(["x", "y"], out, "--engine", "builtin")[0] == 0
    (out / "000007.png").write_bytes(b"mine")
    assert render(["x"], out, "--engine", "builtin")[0] == 0
    assert sorted(p.name for p in out.iterdir()) == ["000000.png", "000007.png", "report.jsonl"]
    assert (out / "000007.png").read_bytes() == b"mine"


@needs_tex
def test_render_command_splits_lines_at_lf_only(out):
    status, report = render(b"a\rb\nc\x0cd\n\xe9 \\text{e}\ng", out)
    assert status == 0
    assert len(report) == 4
    # \xe9 alone is no UTF-8: read as Latin-1, it is an e with an accent.
    assert [entry["file"] is not None for entry in report] == [True] * 4


@needs_tex
def test_render_command_dpi(out, tmp_path):
    _, coarse = render([r"\rule{72.2pt}{72.2pt}"], out, "--dpi", "100")
    _, fine = render([r"\rule{72.2pt}{72.2pt}"], tmp_path / "fine", "--dpi", "300")
    assert (coarse[0]["width"], fine[0]["width"]) == (100, 300)


@needs_tex
def test_render_command_with_cache_gives_equal_files(tmp_path):
    formulas = tmp_path / "formulas.txt"
    formulas.write_text("x^2\n\\frac{a}\ny\n", encoding="utf-8")
    reports = []
    for name in ("one", "two"):
        cache = str(tmp_path / "cache")
        assert main(["render", str(formulas), str(tmp_path / name), "--cache", cache]) == 1
        reports.append((tmp_path / name / "report.jsonl").read_text(encoding="utf-8"))
        reports.append((tmp_path / name / "000000.png").read_bytes())
    assert reports[:2] == reports[2:]


@needs_tex
def test_render_command_as_subprocess(tmp_path):
    (tmp_path / "f.txt").write_text("x\n", encoding="utf-8")
    command = [sys.executable, "-m", "im2tex", "render", "f.txt", "out", "--no_cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "out" / "000000.png").exists()


def test_render_command_builtin_engine_without_tex(out, mathtext, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    status, report = render(
        [
            r"\frac { a } { b } + \operatorname { s i n } x",
            r"a \over b",
            r"\begin{matrix} a \end{matrix}",
        ],
        out,
        "--engine",
        "builtin",
    )
    assert status == 1
    assert [entry["file"] for entry in report] == ["000000.png", None, None]
    assert report[1]["reason"] == r"\over needs the engine tex"
    assert report[2]["reason"] == r"\begin needs the engine tex"
    assert {entry["engine"] for entry in report} == {"builtin"}
    assert all(entry["signature"].startswith("builtin:matplotlib") for entry in report)


def test_render_command_attacks_on_builtin_engine(out, mathtext):
    attacks = [text.replace("\n", " ") for text in ATTACKS.values() if "\udc80" not in text]
    status, report = render(
        [text for pair in zip(attacks, ["x"] * len(attacks), strict=True) for text in pair],
        out,
        "--engine",
        "builtin",
    )
    assert status == 1
    assert len(report) == 2 * len(attacks)
    first = (out / "000001.png").read_bytes()
    for entry in report[1::2]:
        assert (out / entry["file"]).read_bytes() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "pdf"], "--engine must be tex or builtin, got 'pdf'"),
        (["--dpi", "5"], "--dpi must be from 20 to 1200"),
        (["--workers", "0"], "--workers must be at least 1"),
    ],
)
def test_render_command_option_errors(out, options, message, capsys):
    (out.parent / "f.txt").write_text("x", encoding="utf-8")
    assert main(["render", str(out.parent / "f.txt"), str(out), *options]) == 2
    assert message in capsys.readouterr().err


def test_render_command_missing_file_and_foreign_folder(out, mathtext, capsys):
    assert main(["render", str(out.parent / "none.txt"), str(out)]) == 2
    assert "cannot read" in capsys.readouterr().err
    (out.parent / "f.txt").write_text("x", encoding="utf-8")
    out.mkdir()
    (out / "letter.txt").write_text("mine", encoding="utf-8")
    options = ["--engine", "builtin", "--no-cache"]
    assert main(["render", str(out.parent / "f.txt"), str(out), *options]) == 2
    assert "name an empty folder" in capsys.readouterr().err
    assert (out / "letter.txt").read_text(encoding="utf-8") == "mine"


def test_render_command_ignores_paths_outside_its_folder(out, mathtext):
    out.mkdir()
    outside = out.parent / "000000.png"
    outside.write_bytes(b"mine")
    (out / "report.jsonl").write_text(
        '{"line": 0, "file": "../000000.png", "engine": "tex"}\n{"file": 3}\nnot json\n'
    )
    assert render(["x"], out, "--engine", "builtin")[0] == 0
    assert outside.read_bytes() == b"mine"
