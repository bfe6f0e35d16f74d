"""Notebooks run, and keep their pictures."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def cells(path):
    return [
        cell
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_of_a_notebook_run_in_order(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    scope = {}
    for cell in cells(path):
        exec("".join(cell["source"]), scope)
    if path.stem == "tour":
        assert scope["tokens"] != scope["sample"].tokens, "the recombination changes nothing"
        losses = [float(row["train/loss"]) for row in scope["rows"]]
        assert min(losses[-5:]) < losses[0], "the model does not learn"
    if path.stem == "attention":
        assert len(scope["record"].heatmap) == len(scope["record"].tokens)


def test_notebooks_are_the_tour_and_attention():
    assert [path.stem for path in NOTEBOOKS] == ["attention", "tour"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_of_a_notebook_are_kept(path):
    outputs = [output for cell in cells(path) for output in cell["outputs"]]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert all(output["output_type"] != "error" for output in outputs)
    assert path.stat().st_size < 500_000
    numbers = [cell["execution_count"] for cell in cells(path)]
    assert numbers == list(range(1, len(numbers) + 1)), "run all cells in order before saving"
