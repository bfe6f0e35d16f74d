"""The results of a folder as one table."""

import json
import math

import pytest

from im2tex.cli import main
from im2tex.errors import Im2TexError
from im2tex.evaluation.reports.study import describe_run, read_study, study_markdown, study_rows
from im2tex.evaluation.results import RunResult


def result(folder, name, seed=0, source="crohme", chain=None, **metrics):
    run = RunResult(
        command=f"im2tex test --ckpt_path {name}.ckpt",
        config={},
        data={"source": source, "splits": dict.fromkeys(metrics, 986)},
        seed=seed,
        metrics=metrics,
        wall_time_s=1.0,
    )
    path = run.save(folder / f"{name}.json")
    if chain:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chain": chain}))


@pytest.fixture
def folder(tmp_path):
    result(tmp_path, "scratch_seed0", 0, test_2014={"token_exact": 0.30, "perplexity": 1.5})
    result(tmp_path, "scratch_seed1", 1, test_2014={"token_exact": 0.40, "perplexity": 1.7})
    steps = ["first.yaml --seed_everything=0", "second.yaml"]
    result(tmp_path, "pretrained", chain=steps, test_2014={"token_exact": 0.5, "bleu_norm": 80.0})
    return tmp_path


def cells(rows, name, column):
    (row,) = [row for row in rows if row[0] == name]
    return row[rows[0].index(column)]


def test_study_rows_seeds_are_one_row_with_mean_and_range(folder):
    rows = study_rows(read_study(folder), "test_2014")
    assert cells(rows, "scratch", "runs") == "2"
    assert cells(rows, "scratch", "token_exact") == "35.00 % (30.00 to 40.00)"
    assert cells(rows, "scratch", "perplexity") == "1.600 (1.500 to 1.700)"
    assert cells(rows, "pretrained", "token_exact") == "50.00 %"


def test_study_rows_missing_value_is_a_dash_and_metric_of_no_run_no_column(folder):
    rows = study_rows(read_study(folder), "test_2014")
    assert cells(rows, "scratch", "bleu_norm") == "-"
    assert "lookups_fine" not in rows[0]


def test_study_rows_published_results_are_below_ours(folder):
    result(folder, "pictures", test_2014={"image_match_released": 0.5, "expression_rate": 0.4})
    rows = study_rows(read_study(folder), "test_2014")
    names = [row[0] for row in rows]
    paper = "IM2TEX standard (Deng et al. 2017)"
    assert names.index(paper) > names.index("scratch")
    assert cells(rows, paper, "image_match_released") == "38.74 %"
    assert cells(rows, paper, "expression_rate") == "-"
    assert cells(rows, "CoMER (Zhao and Gao 2022)", "expression_rate") == "59.33 %"


def test_study_rows_own_data_have_no_published_results(tmp_path):
    result(tmp_path, "mine", source="folder", test_2014={"expression_rate": 0.1})
    assert len(study_rows(read_study(tmp_path), "test_2014")) == 2


def test_study_markdown_has_a_table_per_split_and_the_command_of_each_run(folder):
    result(folder, "other", test_2013={"token_exact": 0.2})
    entries = read_study(folder)
    page = study_markdown(folder, entries)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == ["## test_2013", "## test_2014", "## Runs"]
    assert "`first.yaml --seed_everything=0; then second.yaml`" in page
    assert "`im2tex test --ckpt_path other.ckpt`" in page
    (made,) = [
        describe_run(one) for entry in entries if entry.name == "other" for one in entry.records
    ]
    assert "test_2013 986 of crohme; seed 0" in made


def test_read_study_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(Im2TexError, match=r"holds no results: .*--report\.study"):
        read_study(tmp_path)


def test_study_command_prints_or_writes_the_page(folder, capsys, tmp_path):
    assert main(["report", "study", str(folder), "--metrics", "bleu_norm"]) == 0
    printed = capsys.readouterr().out
    assert "| pretrained | 1 | 80.00 |" in printed
    page = tmp_path / "page" / "README.md"
    assert main(["report", "study", str(folder), "--metrics", "bleu_norm", "--out", str(page)]) == 0
    assert page.read_text() == printed


def test_study_command_unknown_metric_is_an_error(folder, capsys):
    assert main(["report", "study", str(folder), "--metrics", "bleu"]) == 2
    said = capsys.readouterr().err
    assert "'bleu'" in said
    assert "bleu_norm, perplexity, token_exact" in said


def test_study_metric_without_a_value_is_a_dash_with_a_note(tmp_path):
    result(tmp_path, "short", test={"bleu_norm": math.nan, "token_exact": 1.0})
    entries = read_study(tmp_path)
    assert cells(study_rows(entries, "test"), "short", "bleu_norm") == "-"
    page = study_markdown(tmp_path, entries)
    assert "Without a value in at least one run: bleu_norm. BLEU is not defined where" in page
    assert "Without a value" not in study_markdown(tmp_path, entries, ["token_exact"])


def test_describe_run_names_the_gpus(tmp_path):
    result(tmp_path, "run", test={"token_exact": 1.0})
    path = tmp_path / "run.json"
    machine = {"cores": 8, "cpu": "A", "gpus": [{"name": "G", "memory_gib": 1.0}, {"name": "H"}]}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"machine": machine}))
    (entry,) = read_study(tmp_path)
    assert "8 cores of A, G, H; commit" in describe_run(entry.records[0])
