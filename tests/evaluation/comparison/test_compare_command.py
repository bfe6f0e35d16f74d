"""`im2tex compare` as a person and as a script call it."""

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


def test_it_prints_a_table_what_is_unfair_and_which_samples_changed(results, capsys):
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
    assert "1 samples only in B: more" in lines
    assert (
        "By token_exact: 2 right in A alone, 1 in B alone; 1 read differently and judged alike"
        in lines
    )
    first = lines.index("Right in A alone:")
    assert lines[first + 1 : first + 13] == [
        "lost-1",
        "gold y ^ 2",
        "A y ^ 2",
        "B y 2",
        "lost-2",
        "gold z",
        "A z",
        "B no reading (failed at: decode)",
        "",
        "Right in B alone:",
        "gained",
        "gold a + b",
    ]
    assert "10,000 resamples, seed 0" in said
    assert "for the 1 tests of token_exact." in said


def test_no_more_samples_are_listed_than_asked_for(results, capsys):
    assert im2tex("compare", *results, "--show", 1) == 0
    said = capsys.readouterr().out
    assert "Right in A alone, the first 1:" in said
    assert "lost-1" in said
    assert "lost-2" not in said
    assert im2tex("compare", *results, "--show", 0) == 0
    said = capsys.readouterr().out
    assert "Right in" not in said
    assert "2 right in A alone" in said


def test_a_certain_difference_has_a_star(tmp_path, capsys):
    of_a = [sample(str(number), "x", "x") for number in range(40)]
    of_b = [sample(str(number), "x", "x" if number else "y") for number in range(40)]
    of_c = [sample(str(number), "x", "y") for number in range(40)]
    paths = [
        save(tmp_path / f"{name}.json", {"test": samples})
        for name, samples in (("a", of_a), ("b", of_b), ("c", of_c))
    ]
    assert im2tex("compare", *paths, "--show", 0) == 0
    said = capsys.readouterr().out
    assert "B against A" in said
    assert "C against A" in said
    starred = [line for line in said.splitlines() if line.rstrip().endswith(" *")]
    assert len(starred) == 1
    assert "-100.00" in starred[0]
    assert "2e-12" in starred[0]  # 2 / 2 ** 40


def test_figures_over_fewer_samples_say_so(tmp_path, capsys):
    of_a = [sample("k", "x", "x", image_match=True), sample("l", "x", "x", image_match=None)]
    a = save(tmp_path / "a.json", {"test": of_a})
    b = save(tmp_path / "b.json", {"test": of_a})
    assert im2tex("compare", a, b) == 0
    said = capsys.readouterr().out
    assert "Over those samples that have it in both: image_match 1\n" in said


def test_numbers_have_the_decimals_of_the_larger(tmp_path, capsys):
    paths = [
        save(tmp_path / f"{name}.json", {"test": [sample("k", "x", "x", errors=errors)]})
        for name, errors in (("a", 12.0), ("b", 12.005))
    ]
    assert im2tex("compare", *paths, "--metrics", "errors") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "errors 12.00 12.01 +0.01 +0.01 .. +0.01 - - -" in lines
    assert any("no yes-or-no verdict" in line for line in lines)


def test_json_has_every_figure(results, capsys):
    assert im2tex("compare", *results, "--json", "--resamples", 500, "--seed", 3) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["results"] == {"A": str(results[0]), "B": str(results[1])}
    assert record["bootstrap"] == {"resamples": 500, "seed": 3, "level": 0.95}
    (comparison,) = record["comparisons"]
    assert (comparison["a"], comparison["b"]) == ("A", "B")
    split = comparison["splits"]["test"]
    assert split["samples"] == 6
    assert (split["only_in_a"], split["only_in_b"], split["by"]) == ([], ["more"], "token_exact")
    assert split["changed"] == {
        "a": ["lost-1", "lost-2"],
        "b": ["gained"],
        "both": [],
        "neither": ["wrong"],
        "unknown": [],
    }
    exact = split["verdicts"]["token_exact"]
    assert exact["difference"] == pytest.approx(-1 / 6)
    assert exact["low"] < exact["difference"] < exact["high"]
    assert (exact["only_a"], exact["only_b"], exact["p"], exact["p_holm"]) == (2, 1, 1, 1)
    assert split["verdicts"]["token_error_rate"]["p"] is None


def test_all_changes_are_written_as_json_lines(results, tmp_path, capsys):
    out = tmp_path / "new" / "changed.jsonl"
    assert im2tex("compare", *results, "--show", 0, "--out", out) == 0
    assert f"4 samples that changed: {out}" in capsys.readouterr().err
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(record["key"], record["right"]) for record in records] == [
        ("lost-1", "A"),
        ("lost-2", "A"),
        ("gained", "B"),
        ("wrong", "neither"),
    ]
    assert records[1] == {
        "split": "test",
        "key": "lost-2",
        "by": "token_exact",
        "right": "A",
        "gold": ["z"],
        "A": {
            "prediction": ["z"],
            "verdicts": {"token_exact": True, "token_edits": 0},
            "failed_at": None,
            "score": None,
        },
        "B": {
            "prediction": None,
            "verdicts": {"token_exact": False, "token_edits": 1},
            "failed_at": "decode",
            "score": None,
        },
    }


def test_all_changes_are_written_as_markdown(tmp_path):
    a = save(tmp_path / "a.json", {"test": [sample("a_1", "| x | `", "| x | `"), *OF_A]})
    b = save(tmp_path / "b.json", {"test": [sample("a_1", "| x | `", "x"), *OF_B]})
    out = tmp_path / "changed.md"
    assert im2tex("compare", a, b, "--out", out) == 0
    page = out.read_text(encoding="utf-8")
    assert "| token_exact | 71.43 % | 42.86 % | -28.57 |" in page
    assert "#### Right in A alone\n\n| sample | gold | A | B |\n| --- | --- | --- | --- |\n" in page
    # A bar must not end the cell, nor a backtick the code.
    assert "| a_1 | `` \\| x \\| ` `` | `` \\| x \\| ` `` | `x` |\n" in page
    assert "| lost-2 | `z` | `z` | no reading |\n" in page
    assert "#### Right in B alone\n" in page
    assert "#### Read differently, right in neither\n" in page
    assert "#### Read differently, right in both\n" not in page


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--show", "-1"], ["--show must be >= 0, got -1"]),
        (["--resamples", "0"], ["--resamples must be >= 1, got 0"]),
        (["--seed", "-2"], ["--seed must be >= 0, got -2"]),
        (["--show", "x"], ["--show", "'x'"]),
        (["--out", "changed.txt"], ["changed.txt", ".jsonl", ".md"]),
        (["--out", "a.json/changed.md"], ["cannot write a.json/changed.md"]),
        (["--metrics", "exact"], ["'exact'", "token_exact"]),
        (["nowhere.json"], ["nowhere.json"]),
    ],
)
def test_a_mistake_is_one_line(results, flags, words, capsys):
    assert im2tex("compare", *results, *flags) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for word in words:
        assert word in captured.err


def test_one_result_alone_is_a_mistake(results, capsys):
    assert im2tex("compare", results[0]) == 2
    assert "OTHER" in capsys.readouterr().err


def test_keys_and_readings_cannot_command_the_terminal(tmp_path, capsys):
    of_a = [sample("\x1b[2Jk", "x", "x"), sample("only\x07", "x", "x")]
    a = save(tmp_path / "a.json", {"test": of_a})
    b = save(tmp_path / "b.json", {"test": [sample("\x1b[2Jk", "x", "[bold]\x1b]0;y")]})
    assert im2tex("compare", a, b) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[bold]" in said


def test_a_terminal_shows_which_tokens_are_wrong(results, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    a, b = map(load_test_result, results)
    compared = compare_tests(a, [b])
    print_comparisons(compared, show=10, resamples=10_000, seed=0, file=out)
    lines = out.getvalue().splitlines()
    assert "    A     a \x1b[31m-\x1b[0m b" in lines
    assert "    gold  y \x1b[31m^\x1b[0m 2" in lines  # what B left out
    assert "    B     a + b" in lines
    # The table fits into 80 columns.
    figures = [line for line in lines if "token_error_rate" in line and "23.08 %" in line]
    assert len(figures) == 1


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_reader_who_has_seen_enough_is_no_error(results, flags, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        assert im2tex("compare", *results, *flags) == 0
