"""`im2tex score`: files of other systems in the table of `im2tex test`."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from tiny_run import im2tex, lines

from im2tex.data.sample import Sample
from im2tex.data.store import write_split
from im2tex.evaluation.results import read_result, read_samples

REAL = Path(os.environ.get("IM2TEX_DATA") or "nowhere") / "crohme" / "lgeval_verdicts.tsv"
GOLD = {"a": "x + 1", "b": "x ^ { 2 }", "c": r"\frac { 1 } { 2 }", "d": "y"}


@pytest.fixture
def references(tmp_path):
    path = tmp_path / "gold.tsv"
    path.write_text("".join(f"{key}\t{latex}\n" for key, latex in GOLD.items()), "utf-8")
    return path


def scored(folder, predictions, references, *flags):
    """The result and samples of a run without image scores."""
    out = folder / "out" / "theirs"
    status = im2tex(
        *("score", "--predictions", predictions, "--references", references),
        *("--engine", "none", "--out", out, *flags),
    )
    assert status == 0
    result = read_result(folder / "out" / "theirs.json")
    (name,) = result["samples"].values()
    return result, list(read_samples(folder / "out" / name))


def error(capsys, *arguments):
    capsys.readouterr()
    assert im2tex("score", *arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("im2tex: error: ")
    assert len(said.splitlines()) == 1
    return said


def test_score_writes_result_and_samples(tmp_path, references, capsys):
    predictions = tmp_path / "theirs.jsonl"
    given = {"c": r"\frac12", "a": "x+1", "b": "x^3", "z": "1"}
    predictions.write_text(
        "".join(json.dumps({"id": k, "pred": v}) + "\n" for k, v in given.items())
    )
    result, samples = scored(tmp_path, predictions, references)
    assert [sample.key for sample in samples] == list(GOLD)  # in the order of the references
    # Right: a and c, however they are typed. One label wrong in b; d is missing.
    assert result["metrics"]["gold"]["expression_rate"] == 2 / 4
    assert result["metrics"]["gold"]["expression_rate_1_strict"] == 3 / 4
    assert result["metrics"]["gold"]["bleu_tok"] < 100
    assert result["data"]["failed"]["gold"]["read"] == 1
    assert samples[3].failed_at == "read"
    assert "perplexity" not in result["metrics"]["gold"]
    assert result["command"]
    assert result["machine"]["cores"] >= 1
    assert "form" in result["signatures"]
    printed = capsys.readouterr()
    assert "1 of 4 references counted as wrong, not predicted: d" in printed.err
    assert "1 prediction skipped, no reference: z" in printed.err
    assert "expression_rate" in printed.out
    page = (tmp_path / "out" / "theirs.md").read_text("utf-8")
    assert "| expression_rate | 50.00 % |" in page
    assert "| 1-5 | 3 |" in page


def test_score_of_references_against_themselves_is_perfect(tmp_path, references, capsys):
    pytest.importorskip("matplotlib")
    flags = ("--predictions", references, "--references", references, "--engine", "builtin")
    assert im2tex("score", *flags) == 0
    shares = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith("%  ")]
    found = {name: share for name, share, _ in shares}
    assert found.pop("token_error_rate") == "0.00"
    assert set(found.values()) == {"100.00"}
    assert {"image_match", "image_edit_score_released", "expression_rate"} <= found.keys()


def test_score_of_own_files_equals_test(checkpoint, tmp_path):
    report = ("--report.folder", tmp_path, "--report.engine", "none")
    assert im2tex("test", "--ckpt_path", checkpoint, *report) == 0
    tested = read_result(tmp_path / "grammar" / "test.json")
    samples = tmp_path / "grammar" / tested["samples"]["test"]
    predicted = tmp_path / "predictions"
    predict = ("--ckpt_path", checkpoint, "--predictions.folder", predicted)
    assert im2tex("predict", *predict, "--data.predict_splits", "[test]") == 0
    root = ("--root", checkpoint.parents[3] / "data")
    for predictions, references in (
        (samples, samples),
        (samples, "grammar:test"),
        (predicted / "test.jsonl", "grammar:test"),
    ):
        result, _ = scored(tmp_path, predictions, references, *root)
        (figures,) = result["metrics"].values()
        expected = tested["metrics"]["test"]
        left = {"perplexity", "lookups_coarse", "lookups_fine"}  # need the model
        assert figures.keys() == expected.keys() - left
        for name, value in figures.items():
            assert value == pytest.approx(expected[name]), name


def test_score_against_split_uses_its_markup_and_collections(tmp_path):
    root = tmp_path / "data"
    samples = [
        Sample(key, "$a^2$", ("a", "^", "{", "2", "}"), image=b"", extra={"collection": part})
        for key, part in (("1", "KAIST"), ("2", "HAMEX"))
    ]
    for split in ("train", "test_2014"):
        write_split(root / "crohme" / f"{split}.parquet", samples, {"source": "crohme"})
    predictions = tmp_path / "p.txt"
    predictions.write_text("a^2\n$$ a ^ { 2 } $$\n")
    flags = ("--root", root, "--form", "crohme")
    result, read = scored(tmp_path, predictions, "crohme:test_2014", *flags)
    assert result["metrics"]["test_2014"]["token_exact"] == 1
    assert result["data"]["source"] == "crohme"
    assert read[0].latex == "$a^2$"
    groups = result["breakdown"]["test_2014"]["collection"]
    assert [group["group"] for group in groups] == ["HAMEX", "KAIST"]
    # Without --form, the first is the plain token stream `a ^ 2`.
    result, _ = scored(tmp_path, predictions, "crohme:test_2014", "--root", root)
    assert result["metrics"]["test_2014"]["token_exact"] == 0.5


def test_score_of_lines_without_keys_pairs_by_line(tmp_path):
    for name, text in (("p.txt", "x\n\nz\n"), ("g.txt", "x\ny\ny\n")):
        (tmp_path / name).write_text(text)
    result, samples = scored(tmp_path, tmp_path / "p.txt", tmp_path / "g.txt")
    assert result["metrics"]["g"]["token_exact"] == pytest.approx(1 / 3)
    assert [sample.failed_at for sample in samples] == [None, "read", None]


def test_score_matches_file_names_without_folder_and_suffix(tmp_path, references):
    predictions = tmp_path / "p.tsv"
    predictions.write_text("".join(f"test/{key}.png\t{latex}\n" for key, latex in GOLD.items()))
    result, _ = scored(tmp_path, predictions, references)
    assert result["metrics"]["gold"]["token_exact"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n", "1 prediction against 4 references, and not both have keys"),
        ("q\tx\n", "no prediction has the key of a reference: predictions have 'q'"),
        ("a\tx\na\ty\n", "has the key 'a' twice"),
        ("", "holds no formulas"),
        ('{"key": "a", "confidence": 1}\n', "line 1: no formula"),
        ('{"key": "a", "latex": 3}\n', "'latex' is 3; expected text"),
        ('{"key": "a", "latex": "x"}\n{"latex": "x"}\n', "line 2: no key, where others have one"),
        ('{"key": "a", "latex": "x"}\n{"key"\n', "line 2: no JSON object"),
        ("id\tlatex\na\tx\ty\n", "line 2: 3 columns; expected as many as line 1"),
    ],
)
def test_score_unpairable_predictions_are_refused(tmp_path, references, capsys, text, message):
    predictions = tmp_path / "p.txt"
    predictions.write_text(text)
    said = error(capsys, "--predictions", predictions, "--references", references)
    assert message in said


def test_score_wrong_options_are_refused(tmp_path, references, capsys):
    given = ("--predictions", references, "--references", references)
    assert "must be one of given, norm, tok, crohme" in error(capsys, *given, "--form", "x")
    assert "no engine 'x'" in error(capsys, *given, "--engine", "x")
    assert "is a folder" in error(capsys, *given, "--engine", "none", "--out", tmp_path)
    none = ("--predictions", tmp_path / "none", "--references", references)
    assert "there is no file" in error(capsys, *none)
    split = ("--predictions", references, "--references")
    assert "unknown" in error(capsys, *split, "chrome:test_2014").lower()
    assert "has no split 'x'" in error(capsys, *split, "grammar:x", "--root", tmp_path)
    assert not (tmp_path / "grammar").exists()  # scoring prepares no data
    result = tmp_path / "r.md"
    result.write_text("a\tx\n")
    own = ("--predictions", result, "--references", references, "--engine", "none")
    assert "would overwrite" in error(capsys, *own, "--out", tmp_path / "r")
    assert result.read_text() == "a\tx\n"


def test_score_unusable_predictions_count_as_wrong(tmp_path, references, capsys):
    predictions = tmp_path / "p.jsonl"
    given = {"a": '"x + 1"', "b": r'"\ud800 x"', "c": r'["\udc00"]', "d": "null"}
    predictions.write_text("".join(f'{{"key": "{k}", "latex": {v}}}\n' for k, v in given.items()))
    result, samples = scored(tmp_path, predictions, references)
    assert result["metrics"]["gold"]["token_exact"] == 1 / 4
    assert result["data"]["failed"]["gold"]["read"] == 3
    assert samples[1].reason == r"half of a surrogate pair in '\ud800 x'"
    said = capsys.readouterr().err
    assert "2 of 4 references counted as wrong, without a usable formula: " in said
    assert r"p.jsonl, line 2: half of a surrogate pair in '\ud800 x'" in said
    assert "1 of 4 references counted as wrong, not predicted: d" in said


def test_score_unusable_reference_counts_as_wrong(tmp_path, capsys):
    for name, latex in (("p.jsonl", '"x"'), ("g.jsonl", r'"\ud800"')):
        (tmp_path / name).write_text(
            f'{{"key": "a", "latex": {latex}}}\n{{"key": "b", "latex": "y"}}\n'
        )
    out = ("--out", tmp_path / "out" / "r", "--engine", "none")
    both = ("--predictions", tmp_path / "p.jsonl", "--references", tmp_path / "g.jsonl")
    assert im2tex("score", *both, *out) == 0
    assert "1 of 2 references counted as wrong, without a usable formula" in capsys.readouterr().err
    first, _ = read_samples(tmp_path / "out" / "r.g.samples.jsonl")
    assert first.metrics["token_exact"] is False
    assert first.reason == r"half of a surrogate pair in '\ud800'"


def test_score_short_formulas_have_no_bleu(tmp_path, capsys):
    (tmp_path / "same.txt").write_text("x\nx+\n\\pi\n")
    result, _ = scored(tmp_path, tmp_path / "same.txt", tmp_path / "same.txt")
    figures = result["metrics"]["same"]
    assert {figures[name] for name in ("bleu", "bleu_norm", "bleu_tok")} == {None}
    printed = capsys.readouterr().out
    assert "- for bleu_norm, bleu, bleu_tok: not defined." in printed
    assert "references under 4 tokens" in printed
    page = (tmp_path / "out" / "theirs.md").read_text("utf-8")
    assert "| bleu_norm | - |" in page
    assert "- for bleu_norm, bleu, bleu_tok: not defined." in page
    result_path = tmp_path / "out" / "theirs.json"
    assert im2tex("report", "study", tmp_path / "out", "--metrics", "bleu_norm") == 0
    assert "| theirs | 1 | - |" in capsys.readouterr().out
    assert im2tex("compare", result_path, result_path) == 0


def test_score_control_characters_are_not_printed(tmp_path, capsys):
    name = tmp_path / "p\x1b[2J.jsonl"
    name.write_text('{"key": "a", "latex": "x"}\n{"key": "\\u001b]0;y", "latex": "\\u001b"}\n')
    gold = tmp_path / "g\x1b[2J.tsv"
    gold.write_text("a\tx\n\x1b[1mb\ty\n")
    assert im2tex("score", "--predictions", name, "--references", gold, "--engine", "none") == 0
    assert im2tex("score", "--predictions", gold, "--references", tmp_path / "\x1bno") == 2
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


@pytest.mark.skipif(
    not REAL.exists(), reason="needs IM2TEX_DATA, a folder with crohme/lgeval_verdicts.tsv"
)
def test_score_of_real_predictions_equals_crohme2019_tools(tmp_path):
    with REAL.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for side in ("gold", "prediction"):
        text = "".join(f"{row['id']}\t{row[side]}\n" for row in rows)
        (tmp_path / f"{side}.tsv").write_text(text)
    result, samples = scored(tmp_path, tmp_path / "prediction.tsv", tmp_path / "gold.tsv")
    metrics = result["metrics"]["gold"]
    assert metrics["expression_rate"] == pytest.approx(
        sum(row["exact"] == "1" for row in rows) / len(rows)
    )
    for allowed in (1, 2, 3):
        within = sum(int(row["n_label_errors"]) <= allowed for row in rows)
        assert metrics[f"expression_rate_{allowed}"] == pytest.approx(within / len(rows))
    assert [sample.metrics["expression_errors"] for sample in samples] == [
        int(row["n_label_errors"]) for row in rows
    ]
    assert len(lines(tmp_path / "out" / "theirs.gold.samples.jsonl")) == len(rows)


def test_score_closed_pipe_keeps_result(tmp_path, references, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        scored(tmp_path, references, references)
