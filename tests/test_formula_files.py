"""Files of formulas in the shapes that people have them in."""

import json

import pytest

from im2tex.commands.formula_files import read_formulas, tokens_of
from im2tex.errors import Im2TexError

FORMULAS = [("a.png", ["x", "+", "1"]), ("b.png", [r"\frac", "1", "2"]), ("c.png", None)]


def read(folder, text, name="file.txt", role="predictions"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(entry.key, entry.tokens) for entry in read_formulas(path, role)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.tsv", "a.png\tx+1\nb.png\t\\frac12\nc.png\t\n"),
        ("p.txt", "a.png\tx+1\r\nb.png\t\\frac12\r\nc.png\t\r\n"),
        ("p.tsv", "a.png\tx+1\nb.png\t\\frac12\nc.png\n"),
        (
            "p.tsv",
            "\ufeffscore\tImage\tPrediction\n1\ta.png\tx+1\n2\tb.png\t\\frac12\n3\tc.png\t\n",
        ),
        (
            "p.jsonl",
            '{"img_name": "a.png", "pred": "x + 1"}\n'
            '{"img_name": "b.png", "pred": "\\\\frac 1 2"}\n'
            '{"img_name": "c.png", "pred": null}\n',
        ),
        ("p.json", json.dumps({"a.png": "x+1", "b.png": r"\frac12", "c.png": ""})),
        (
            "p.json",
            json.dumps([{"id": k, "tokens": tokens} for k, tokens in FORMULAS], indent=1),
        ),
    ],
)
def test_keys_and_formulas_whatever_the_shape(tmp_path, name, text):
    assert read(tmp_path, text, name) == FORMULAS


def test_lines_without_keys(tmp_path):
    text = b"x + 1\n\n{a}_{2}\n$$ y $$\n\xe9\n"
    expected = [["x", "+", "1"], None, ["{", "a", "}", "_", "{", "2", "}"], ["y"], ["é"]]
    assert read(tmp_path, text) == [(None, tokens) for tokens in expected]


def test_a_record_of_both_sides_gives_the_one_asked_for(tmp_path):
    record = {"key": "a", "gold": ["x"], "prediction": ["y"], "latex": "$x$", "verdicts": {}}
    text = json.dumps(record) + "\n"
    assert read(tmp_path, text, role="predictions") == [("a", ["y"])]
    assert read(tmp_path, text, role="references") == [("a", ["x"])]
    (entry,) = read_formulas(tmp_path / "file.txt", "references")
    assert entry.latex == "$x$"  # as it was found


def test_numbers_are_keys_too(tmp_path):
    assert read(tmp_path, '{"id": 7, "latex": "x"}\n') == [("7", ["x"])]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (r"x^{2}+\alpha", "x ^ { 2 } + \\alpha"),
        (r"\left( x \right)", r"\left( x \right)"),  # tokens of the paper's normal form
        (r"\left(x\right)", r"\left( x \right)"),
        (r"x + 1 \\ y", r"x + 1 \\ y"),  # tokenised: a new line stays, which `tok` would replace
        ("12", "1 2"),
        (r"\(x\)", "x"),
        (r"\[ x^2 \]", "x ^ 2"),
        ("$x$", "x"),
        ("x % y", "x"),
        (r"\mbox{if x}", r"\mbox { i f ~ x }"),
        ("{ x", "{ x"),  # cannot be read: cut up all the same
        ("{x^", "{ x ^"),
        ("x \\", "x \\"),
        ("", ""),
    ],
)
def test_markup_is_cut_up_and_tokens_stay(text, tokens):
    assert tokens_of(text) == tokens.split()


def test_commas_do_not_part_columns(tmp_path):
    with pytest.raises(Im2TexError, match="formulas have commas"):
        read(tmp_path, "a,x\n", "p.csv")


def test_nesting_without_end_is_no_crash(tmp_path):
    text = "[" * 100_000
    assert read(tmp_path, text)[0][0] is None
    assert len(tokens_of("{" * 20_000)) == 20_000
