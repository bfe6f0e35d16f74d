"""Reading of formula files in all supported formats."""

import json

import pytest

from im2tex.commands.formula_files import read_formulas, tokenize
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
def test_read_formulas_recognises_formats(tmp_path, name, text):
    assert read(tmp_path, text, name) == FORMULAS


def test_read_formulas_plain_lines_have_no_keys(tmp_path):
    text = b"x + 1\n\n{a}_{2}\n$$ y $$\n\xfe\n"
    expected = [["x", "+", "1"], None, ["{", "a", "}", "_", "{", "2", "}"], ["y"], ["\u00fe"]]
    assert read(tmp_path, text) == [(None, tokens) for tokens in expected]


def test_read_formulas_record_of_both_sides_gives_requested_side(tmp_path):
    record = {"key": "a", "gold": ["x"], "prediction": ["y"], "latex": "$x$", "verdicts": {}}
    text = json.dumps(record) + "\n"
    assert read(tmp_path, text, role="predictions") == [("a", ["y"])]
    assert read(tmp_path, text, role="references") == [("a", ["x"])]
    (entry,) = read_formulas(tmp_path / "file.txt", "references")
    assert entry.latex == "$x$"  # unchanged


def test_read_formulas_numeric_key_is_text(tmp_path):
    assert read(tmp_path, '{"id": 7, "latex": "x"}\n') == [("7", ["x"])]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (r"x^{2}+\alpha", "x ^ { 2 } + \\alpha"),
        (r"\left( x \right)", r"\left( x \right)"),  # tokens of the paper's normal form
        (r"\left(x\right)", r"\left( x \right)"),
        (r"x + 1 \\ y", r"x + 1 \\ y"),  # already tokens: `tok` would replace the new line
        ("12", "1 2"),
        (r"\(x\)", "x"),
        (r"\[ x^2 \]", "x ^ 2"),
        ("$x$", "x"),
        ("$$ x $$", "x"),
        (r"$x\$", r"x \$"),
        (r"\begin{equation} x + 1 \end{equation}", "x + 1"),
        (r"\begin{equation*}x^2\end{equation*}", "x ^ 2"),
        (r"\[ \begin{math} x \end{math} \]", "x"),
        (r"$a$ + $b$", "a + b"),  # not `a$ + $b`
        ("x % y", "x"),
        (r"\mbox{if x}", r"\mbox { i f ~ x }"),
        ("{ x", "{ x"),  # not a formula, but tokens
        ("{x^", "{ x ^"),
        ("x \\", "x \\"),
        ("", ""),
    ],
)
def test_tokenize_splits_markup_and_keeps_tokens(text, tokens):
    assert tokenize(text) == tokens.split()


def test_read_formulas_csv_is_refused(tmp_path):
    with pytest.raises(Im2TexError, match="formulas have commas"):
        read(tmp_path, "a,x\n", "p.csv")


def test_read_formulas_deep_nesting_is_read(tmp_path):
    text = "[" * 100_000
    assert read(tmp_path, text)[0][0] is None
    assert len(tokenize("{" * 20_000)) == 20_000


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le+", "utf-16-be+", "utf-32"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.txt", "x^2\r\n\\alpha\r\n"),
        ("p.tsv", "x^2\r\n\\alpha\r\n".replace("x", "1\tx").replace("\\", "2\t\\")),
        ("p.jsonl", '{"id": 1, "pred": "x^2"}\r\n{"id": 2, "pred": "\\\\alpha"}\r\n'),
        ("p.json", '{"1": "x^2",\r\n"2": "\\\\alpha"}\r\n'),
    ],
)
def test_read_formulas_byte_order_mark_selects_encoding(tmp_path, encoding, name, text):
    marked = "\ufeff" + text if encoding.endswith("+") else text
    found = read(tmp_path, marked.encode(encoding.removesuffix("+")), name)
    assert [tokens for _, tokens in found] == [["x", "^", "2"], [r"\alpha"]]


def test_read_formulas_utf16_without_mark_is_refused(tmp_path):
    with pytest.raises(Im2TexError, match=r"file\.txt, line 1: a NUL byte; UTF-16 needs a byte"):
        read(tmp_path, "x^2\r\ny\r\n".encode("utf-16-le"))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (r'"\ud800 x"', r"half of a surrogate pair in '\ud800 x'"),
        (r'["x", "\udfff"]', r"half of a surrogate pair in '\udfff'"),
        (f'"{"x" * 100_001}"', "a formula of more than 100,000 characters"),
    ],
)
def test_read_formulas_unusable_formula_is_a_fault(tmp_path, value, fault):
    path = tmp_path / "p.jsonl"
    path.write_text(f'{{"key": "1", "latex": {value}}}\n{{"key": "2", "latex": "y"}}\n')
    first, second = read_formulas(path, "predictions")
    assert (first.tokens, first.fault) == (None, fault)
    assert (second.tokens, second.fault) == (["y"], None)


def test_read_formulas_surrogate_pair_is_one_character(tmp_path):
    assert read(tmp_path, '{"key": "1", "latex": "\\ud83d\\ude00"}\n') == [("1", ["\U0001f600"])]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "p.jsonl",
            '{"key": "1", "latex": "x", "score": %s}\n' % ("9" * 400),
            "line 1: .*400 digits",
        ),
        ("p.jsonl", '{"key": "1", "latex": "x", "score": %s}\n' % ("9" * 9999), "line 1: .*9,999"),
        ("p.jsonl", '{"key": "1", "latex": "x", "score": NaN}\n', "line 1: .*NaN.*write null"),
        ("p.jsonl", '{"key": "1", "latex": "x"}\n{"key": "2", "a": -Infinity}\n', "line 2: .*-Inf"),
        ("p.jsonl", '{"key": "1", "latex": "x", "score": 1e999}\n', "line 1: .*'1e999'.*too large"),
        ("p.txt", '{"key": "1", "latex": "x", "score": NaN}\n', "line 1: .*NaN"),
        (
            "p.jsonl",
            '{"key": "1", "latex": %s1}\n' % ("[" * 100_000),
            "line 1: .*too deeply|p.jsonl: .*",
        ),
        ("p.json", "[" * 100_000, "p.json: .*nested too deeply"),
        (
            "p.jsonl",
            '{"key": "1", "latex": "x", "latex": "y"}\n',
            "line 1: no JSON object, but the key 'latex' twice",
        ),
        (
            "p.json",
            '{"1": "x",\n"2": "y",\n"1": "z"}',
            "line 3: no JSON, but the key '1' twice",
        ),
        ("p.json", '[{"key": "1", "latex": "x"},\n{"key": NaN}]', "line 2: no JSON, but NaN"),
        ("p.json", '{"1": "x",\n"2" "y"}', "line 2: no JSON, but Expecting ':' delimiter"),
        ("p.json", '"x"', "no JSON object or list, but 'x'"),
        ("p.jsonl", "[1]\n", "line 1: no JSON object, but a list"),
        ("p.jsonl", '{"key": ["1"], "latex": "x"}\n', "line 1: 'key' is a list; expected text, a"),
        ("p.jsonl", '{"key": true, "latex": "x"}\n', "line 1: 'key' is true"),
        ("p.jsonl", '{"key": 1.5, "latex": "x"}\n', "line 1: 'key' is 1.5"),
        ("p.jsonl", '{"key": "\\ud800", "latex": "x"}\n', r"line 1: 'key' is '\\ud800'; .*Unicode"),
        ("p.jsonl", '{"key": "%s", "latex": "x"}\n' % ("k" * 5000), "'key' is 'k{60}'…; .* 1,000"),
        ("p.jsonl", '{"key": "1", "latex": 3}\n', "line 1: 'latex' is 3; expected text, a list"),
        (
            "p.jsonl",
            '{"key": "1", "latex": ["x", 3]}\n',
            "line 1: 'latex\\[\\]' is 3; expected text",
        ),
        (
            "p.jsonl",
            '{"key": "1", "pred": "x", "latex": {}}\n',
            "'latex' is an object; expected text",
        ),
        (
            "p.jsonl",
            '{"key": "1", "latex": "x", "score": "0"}\n',
            "'score' is '0'; expected a finite",
        ),
        ("p.jsonl", '{"key": "1", "latex": "x", "score": true}\n', "'score' is true"),
        (
            "p.jsonl",
            '{"key": "1", "latex": "x", "finished": 1}\n',
            "'finished' is 1; expected true",
        ),
        ("p.jsonl", '{"key": "1", "latex": "x", "collection": []}\n', "'collection' is a list"),
        ("p.jsonl", '{"key": "1", "latex": "x", "verdicts": []}\n', "'verdicts' is a list"),
        ("p.tsv", "key\tlatex\tscore\n1\tx\tnan\n", "line 2: 'score' is nan; expected a finite"),
        ("p.tsv", "key\tlatex\tlatex\n1\tx\ty\n", "line 1 has the column 'latex' twice"),
    ],
)
def test_read_formulas_mistake_is_located(tmp_path, name, text, message):
    with pytest.raises(Im2TexError, match=message) as caught:
        read(tmp_path, text, name)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_read_formulas_single_record_document_is_read(tmp_path):
    record = {"key": "1", "latex": "x", "score": -1, "finished": True, "collection": "A"}
    (tmp_path / "p.json").write_text(json.dumps(record, indent=1))
    (entry,) = read_formulas(tmp_path / "p.json", "predictions")
    assert (entry.key, entry.tokens) == ("1", ["x"])
    assert entry.extra == {"score": -1.0, "finished": True, "collection": "A"}
    assert isinstance(entry.extra["score"], float)


def test_read_formulas_json_lines_with_suffix_json_are_read(tmp_path):
    text = '{"key": "1", "latex": "x"}\n{"key": "2", "latex": "y"}\n'
    assert read(tmp_path, text, "p.json") == [("1", ["x"]), ("2", ["y"])]


def test_read_formulas_table_has_score_and_finished(tmp_path):
    (tmp_path / "p.tsv").write_text("key\tpred\tscore\tfinished\n1\tx\t-0.5\tTrue\n2\ty\t\t\n")
    first, second = read_formulas(tmp_path / "p.tsv", "predictions")
    assert first.extra == {"score": -0.5, "finished": True}
    assert second.extra == {}
