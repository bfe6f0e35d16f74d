"""The end-of-test table reads right on a terminal, in a pipe and in Markdown."""

import io
import math
import re

import pytest

from im2tex.evaluation.reports.table import (
    Section,
    SplitScores,
    format_value,
    markdown_table,
    ordered,
    print_table,
    split_markdown,
)

SCORES = [
    SplitScores(
        "test_2013",
        {"token_exact": 0.05123, "bleu": 34.204, "perplexity": 3.2, "zeta": 1234.56},
        samples=671,
        conditions={"beam": "10", "unfinished": "1.23 %"},
    ),
    SplitScores(
        "test_2014",
        {"token_exact": 0.0712, "token_error_rate": math.nan},
        samples=12986,
        filter="over 500x160",
        conditions={"beam": "1", "images/s": "12.3"},
    ),
]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("token_exact", 0.05128, "5.13 %"),
        ("test/token_within_2", 1.0, "100.00 %"),
        ("token_error_rate", 1.25, "125.00 %"),
        ("bleu", 58.408, "58.41"),
        ("val/perplexity", 1.10549, "1.105"),
        ("image_edit_score_released", 0.5, "50.00 %"),
        ("bleu_norm", 12.345, "12.35"),
        ("lookups_fine", 355.04, "355.0"),
        ("seconds", 12345.6, "1.235e+04"),
        ("token_exact", math.nan, "-"),
        ("learning_rate", 0.001, "0.001"),
    ],
)
def test_format_value(name, value, text):
    assert format_value(name, value) == text


def test_ordered_known_metrics_come_first():
    assert ordered(name for split in SCORES for name in split.metrics) == [
        "token_exact",
        "perplexity",
        "token_error_rate",
        "bleu",
        "zeta",
    ]


def test_expression_rates_come_before_exact_tokens():
    names = ["token_exact", "expression_rate_2", "expression_rate", "expression_rate_1"]
    rates = ["expression_rate", "expression_rate_1", "expression_rate_2"]
    assert ordered(names) == [*rates, "token_exact"]


def test_split_markdown():
    assert split_markdown(SCORES) == (
        "|  | test_2013 | test_2014 |\n"
        "| --- | ---: | ---: |\n"
        "| token_exact | 5.12 % | 7.12 % |\n"
        "| perplexity | 3.200 | - |\n"
        "| *tokens* |  |  |\n"
        "| token_error_rate | - | - |\n"
        "| bleu | 34.20 | - |\n"
        "| *others* |  |  |\n"
        "| zeta | 1235 | - |\n"
        "| samples | 671 | 12,986 |\n"
        "| filter | none | over 500x160 |\n"
        "| beam | 10 | 1 |\n"
        "| unfinished | 1.23 % | - |\n"
        "| images/s | - | 12.3 |\n"
    )


def test_print_table_into_a_pipe_cuts_nothing():
    many = [SplitScores(f"a_rather_long_split_name_{i}", {"bleu": i}, 1000) for i in range(12)]
    out = io.StringIO()
    print_table(many, "Results [not a style]", file=out)
    text = out.getvalue()
    assert "Results" in text
    assert all(split.split in text for split in many)
    assert "\x1b" not in text
    assert "…" not in text


def terminal(columns):
    """A terminal so wide, which keeps what is written on it."""
    out = io.StringIO()
    out.isatty = lambda: True
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "xterm")
        print_table(SCORES, file=out)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


def test_print_table_narrow_terminal_shows_one_split_below_the_other():
    wide, narrow = terminal(80), terminal(40)
    assert wide.count("token_exact") == 1
    assert narrow.count("token_exact") == 2
    assert narrow.index("test_2013") < narrow.index("perplexity") < narrow.index("test_2014")
    assert max(map(len, narrow.splitlines())) <= 40
    for text in (wide, narrow):
        letters = "".join(text.split())
        for piece in ("5.12%", "12,986", "over500x160"):
            assert piece in letters


def test_split_markdown_has_no_row_for_a_condition_of_no_split():
    assert "beam" not in split_markdown([SplitScores("a", {}, 1)])


def test_markdown_table_code_keeps_its_backslashes():
    section = Section("", [["`\\frac`", "`|`", "\\frac"]])
    lines = markdown_table(["a", "b", "c"], [section]).splitlines()
    assert lines[2] == "| `\\frac` | `\\|` | \\\\frac |"


def test_print_table_names_are_no_markup():
    out = io.StringIO()
    print_table([SplitScores("[bold]a|b[/]", {"[red]": 1.0}, 1)], file=out)
    assert "[bold]a|b[/]" in out.getvalue()
    assert "[red]" in out.getvalue()
    assert "a\\|b" in split_markdown([SplitScores("a|b", {}, 1)])


def test_print_table_without_splits_is_empty():
    out = io.StringIO()
    print_table([], file=out)
    assert "samples" in out.getvalue()


def test_print_table_undefined_bleu_is_a_dash_with_a_note():
    out = io.StringIO()
    print_table([SplitScores("test", {"bleu": math.nan, "bleu_norm": 50.0}, 3)], file=out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "bleu -" in lines
    assert "bleu_norm 50.00" in lines
    assert lines[-1] == (
        "- for bleu: not defined. BLEU counts runs of up to 4 tokens, and no reference has 4."
    )


def test_print_table_defined_bleu_has_no_note():
    out = io.StringIO()
    print_table([SplitScores("test", {"bleu": 0.0, "perplexity": math.nan}, 3)], file=out)
    assert "not defined" not in out.getvalue()
