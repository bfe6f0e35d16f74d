"""`im2tex compare`, for people and for scripts."""

import io
import json
import os
import sys

import pytest
from helpers_comparison import OF_A, OF_B, sample, save
from tiny_run import im2tex

from im2tex.evaluation.comparison.comparison import compare_tests
from im2tex.evaluation.comparison.loading import load_test_result
from im2tex.evaluation.comparison.terminal import print_comparisons


@pytest.fixture
def results(tmp_path):
    """Paths of two results; B was searched otherwise and has a sample of its own."""
    a = save(tmp_path / "a.json", {"test": OF_A})
    of_b = [*OF_B, sample("more", "u", "u")]
    beam = "SearchOptions(beam_size=1, n_best=1)"
    return a, save(tmp_path / "b.json", {"test": of_b}, signatures={"beam": beam})


def test_compare_prints_table_notes_and_counts(results, capsys):
    assert im2tex("compare", *results) == 0
    said = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[:2] == [f"A {results[0]}", f"B {results[1]}"]
    assert "note: search: beam_size=5 in A, beam_size=1 in B" in lines
    assert "test: 6 samples in both" in lines
    assert "A B B - A 95 % interval only A only B p" in lines
    assert any(line.startswith("token_exact 66.67 % 50.00 % -16.67 ") for line in lines)
    assert any(line.endswith(" 2 1 1.0000") for line in lines)
    assert any(line.startswith("token_error_rate 23.08 % 23.08 % 0.00 ") for line in lines)
    assert "1 sample only in B: more" in lines
    assert "By token_exact: 2 right in A alone, 1 in B alone" in lines
    assert "10,000 resamples, seed 0" in said
    assert "for the 1 test of token_exact." in said


def test_compare_significant_difference_has_a_star(tmp_path, capsys):
    of_a = [sample(str(number), "x", "x") for number in range(40)]
    of_b = [sample(str(number), "x", "x" if number else "y") for number in range(40)]
    of_c = [sample(str(number), "x", "y") for number in range(40)]
    paths = [
        save(tmp_path / f"{name}.json", {"test": samples})
        for name, samples in (("a", of_a), ("b", of_b), ("c", of_c))
    ]
    assert im2tex("compare", *paths) == 0
    said = capsys.readouterr().out
    assert "B against A" in said
    assert "C against A" in said
    starred = [line for line in said.splitlines() if line.rstrip().endswith(" *")]
    assert len(starred) == 1
    assert "-100.00" in starred[0]
    assert "2e-12" in starred[0]  # 2 / 2 ** 40


def test_compare_metric_of_fewer_samples_has_a_note(tmp_path, capsys):
    of_a = [sample("k", "x", "x", image_match=True), sample("l", "x", "x", image_match=None)]
    a = save(tmp_path / "a.json", {"test": of_a})
    b = save(tmp_path / "b.json", {"test": of_a})
    assert im2tex("compare", a, b) == 0
    said = capsys.readouterr().out
    assert "Over the samples that have it in both: image_match 1\n" in said


def test_compare_numbers_have_the_decimals_of_the_larger(tmp_path, capsys):
    paths = [
        save(tmp_path / f"{name}.json", {"test": [sample("k", "x", "x", errors=errors)]})
        for name, errors in (("a", 12.0), ("b", 12.005))
    ]
    assert im2tex("compare", *paths, "--metrics", "errors") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "errors 12.00 12.01 +0.01 +0.01 .. +0.01 - - -" in lines
    assert any("No yes-or-no metric" in line for line in lines)


def test_compare_json_has_every_value(results, capsys):
    assert im2tex("compare", *results, "--json", "--resamples", 500, "--seed", 3) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["results"] == {"A": str(results[0]), "B": str(results[1])}
    assert record["bootstrap"] == {"resamples": 500, "seed": 3, "level": 0.95}
    (comparison,) = record["comparisons"]
    assert (comparison["a"], comparison["b"]) == ("A", "B")
    split = comparison["splits"]["test"]
    assert split["samples"] == 6
    assert (split["only_in_a"], split["only_in_b"], split["by"]) == ([], ["more"], "token_exact")
    assert split["changed"] == {"a": ["lost-1", "lost-2"], "b": ["gained"]}
    exact = split["metrics"]["token_exact"]
    assert exact["difference"] == pytest.approx(-1 / 6)
    assert exact["low"] < exact["difference"] < exact["high"]
    assert (exact["only_a"], exact["only_b"], exact["p"], exact["p_holm"]) == (2, 1, 1, 1)
    assert split["metrics"]["token_error_rate"]["p"] is None


def test_compare_changed_writes_the_samples_that_only_one_has_right(results, tmp_path, capsys):
    out = tmp_path / "new" / "changed.jsonl"
    assert im2tex("compare", *results, "--changed", out) == 0
    assert f"3 samples that only one has right: {out}" in capsys.readouterr().err
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(record["key"], record["right"]) for record in records] == [
        ("lost-1", "A"),
        ("lost-2", "A"),
        ("gained", "B"),
    ]
    assert records[1] == {
        "split": "test",
        "key": "lost-2",
        "by": "token_exact",
        "right": "A",
        "gold": ["z"],
        "A": {"prediction": ["z"], "failed_at": None, "score": None},
        "B": {"prediction": None, "failed_at": "decode", "score": None},
    }


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--resamples", "0"], ["--resamples must be >= 1, got 0"]),
        (["--seed", "-2"], ["--seed must be >= 0, got -2"]),
        (["--seed", "x"], ["--seed", "'x'"]),
        (["--changed", "changed.md"], ["--changed must be a .jsonl file, got changed.md"]),
        (["--changed", "a.json/changed.jsonl"], ["cannot write a.json/changed.jsonl"]),
        (["--metrics", "exact"], ["'exact'", "token_exact"]),
        (["nowhere.json"], ["nowhere.json"]),
    ],
)
def test_compare_wrong_option_is_one_line(results, flags, words, capsys):
    assert im2tex("compare", *results, *flags) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for word in words:
        assert word in captured.err


def test_compare_one_result_alone_is_an_error(results, capsys):
    assert im2tex("compare", results[0]) == 2
    assert "OTHER" in capsys.readouterr().err


def test_compare_control_characters_are_not_printed(tmp_path, capsys):
    of_a = [sample("\x1b[2Jk", "x", "x"), sample("only\x07", "x", "x")]
    a = save(tmp_path / "a.json", {"test": of_a})
    b = save(tmp_path / "b.json", {"test": [sample("\x1b[2Jk", "x", "y")]})
    assert im2tex("compare", a, b) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said


def test_print_comparisons_table_fits_a_terminal_of_80_columns(results, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    a, b = map(load_test_result, results)
    compared = compare_tests(a, [b])
    print_comparisons(compared, resamples=10_000, seed=0, file=out)
    lines = out.getvalue().splitlines()
    rows = [line for line in lines if "token_error_rate" in line and "23.08 %" in line]
    assert len(rows) == 1


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_compare_closed_pipe_ends_as_by_sigpipe(results, flags, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        assert im2tex("compare", *results, *flags) == 141
