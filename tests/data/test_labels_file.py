"""Tests of `read_labels` and `match_labels`."""

import json

import pytest

from im2tex.data.preparation.labels_file import Label, is_labels_file, read_labels
from im2tex.data.sources.folder.matching import match_labels
from im2tex.errors import Im2TexError

PAIRS = [("a.png", "x"), ("b c.jpg", r"f(x,y)=\text{“é”}"), ("sub/d", "\\frac{1}{2}")]
CSV = 'a.png,x\n"b c.jpg","f(x,y)=\\text{“é”}"\nsub/d,\\frac{1}{2}\n'


def read(tmp_path, name, text, encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return [(one.name, one.latex) for one in read_labels(tmp_path / name)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.tsv", "".join(f"{a}\t{b}\n" for a, b in PAIRS)),
        ("labels.tsv", "image\tlatex\n" + "".join(f"{a}\t{b}\n" for a, b in PAIRS)),
        ("labels.tsv", "id\tlatex\tfile\n" + "".join(f"7\t{b}\t{a}\n" for a, b in PAIRS)),
        ("caption.txt", "# mine\n\n" + "".join(f" {a} \t{b}" + "\r\n" for a, b in PAIRS)),
        ("labels.csv", CSV),
        ("labels.csv", "File_Name,Label\r\n" + CSV.replace("\n", "\r\n")),
        ("labels.csv", CSV.replace("f(x,y)", "f(x;y)").replace(",", ";").replace("x;y", "x,y")),
        ("labels.json", json.dumps(dict(PAIRS), indent=1)),
        ("labels.json", json.dumps([{"image": a, "latex": b} for a, b in PAIRS], indent=1)),
        ("labels.json", json.dumps({a: {"latex": b, "id": 3} for a, b in PAIRS})),
        ("labels.json", json.dumps({a: list(b) for a, b in PAIRS}).replace('"x"]', '"x"]')),
        ("labels.jsonl", "\n".join(json.dumps({"file": a, "latex": b}) for a, b in PAIRS)),
        ("labels.jsonl", "\n".join(json.dumps({"name": a, "label": b}) for a, b in PAIRS)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_read_labels_of_every_format_and_encoding(tmp_path, name, text, encoding):
    found = read(tmp_path, name, text, encoding)
    if text.startswith('{"a.png": ["x"]'):  # tokens, joined by spaces
        assert found == [(a, " ".join(b)) for a, b in PAIRS]
    else:
        assert found == PAIRS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.tsv", "a.png x\n", r"line 1: expected file<TAB>latex"),
        ("labels.csv", "a.png,f(x,y)\n", r"line 1: expected file,latex, with quotes"),
        ("labels.csv", "a.png\n", "line 1: expected"),
        ("labels.csv", "file,latex\na.png\n", "line 2: 1 column, fewer"),
        (
            "labels.jsonl",
            '{"file": "a.png", "latex": "x"}\n{"file": "b.png"}\n',
            "line 2: expected",
        ),
        ("labels.jsonl", "[1\n", r"line \d: no JSON, but Expecting"),
        ("labels.json", '{"a.png": 5}', "'a.png': expected"),
        ("labels.json", '[["a.png", "x"]]', "item 1: expected"),
        ("labels.json", r'{"a.png": "\ud800"}', "surrogate"),
        ("labels.json", "[" * 100_000, "no JSON, but .* nested too deeply"),
        ("labels.txt", "a\0b\tx", "not text"),
    ],
)
def test_read_labels_names_malformed_line(tmp_path, name, text, message):
    with pytest.raises(Im2TexError, match=message) as caught:
        read(tmp_path, name, text)
    assert str(tmp_path / name) in str(caught.value)


def test_is_labels_file_by_name():
    known = [
        "labels.tsv",
        "a/caption.txt",
        "Labels.CSV",
        "labels.json",
        "label.txt",
        "x/captions.txt",
    ]
    assert all(map(is_labels_file, known))
    assert not any(map(is_labels_file, ["notes.txt", "labels", "labels.png", "caption.md"]))


def matched(labels, keys, folder=""):
    read = [Label(f"line {i}", name, latex) for i, (name, latex) in enumerate(labels, 1)]
    found = match_labels(read, keys, folder, {".png", ".jpg", ".bmp", ".inkml"})
    return found.labels, dict(found.problems)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.png", "a.png"),
        ("./a.png", "a.png"),
        ("sub\\a.png", "sub/a.png"),
        ("e\u0301quation.png", "\u00e9quation.png"),
        ("\u00e9quation.png", "e\u0301quation.png"),
        ("A.PNG", "a.png"),
        ("a", "a.PNG"),
        ("a.jpg", "a.png"),
        ("fig.1", "fig.1.bmp"),
        ("own_0", "img/own_0.bmp"),
        ("own_0.png", "img/own_0.bmp"),
        ("/home/me/photos/own_0.jpg", "img/own_0.jpg"),
        ("E\u0301", "img/\u00e9.inkml"),
    ],
)
def test_match_labels_by_similar_name(name, key):
    assert matched([(name, "x")], [key, "other.png"]) == ({key: "x"}, {})


def test_match_labels_prefers_closest_name():
    keys = ["a.png", "a.jpg", "A.png", "sub/a.png"]
    labels = [("a.png", "1"), ("a.jpg", "2"), ("A.png", "3"), ("sub/a.png", "4")]
    assert matched(labels, keys) == ({k: v for k, v in labels}, {})  # noqa: C416
    found, problems = matched([("a.bmp", "5"), ("a.png", "1")], ["a.png"])
    assert found == {"a.png": "1"}
    assert "is not in the folder" in problems["a.bmp"]


def test_match_labels_prefers_folder_of_labels_file():
    keys = ["a.png", "train/a.png"]
    assert matched([("a.png", "x")], keys, "train") == ({"train/a.png": "x"}, {})
    assert matched([("train/a.png", "x")], keys, "train") == ({"train/a.png": "x"}, {})


def test_match_labels_reports_ambiguous_name():
    found, problems = matched(
        [("a", "x"), ("b.png", "y")], ["a.png", "a.jpg", "1/b.png", "2/b.png"]
    )
    assert found == {}
    assert problems["a"] == "its name matches several files: a.jpg, a.png"
    assert problems["b.png"] == "its name matches several files: 1/b.png, 2/b.png"


def test_match_labels_reports_several_labels():
    found, problems = matched([("a.jpg", "x"), ("a.bmp", "y")], ["a.png"])
    assert found == {"a.png": ""}
    assert "several labels: 'a.jpg' (line 1), 'a.bmp' (line 2)" in problems["a.png"]
    assert matched([("a", "x"), ("a", "x")], ["a.png"]) == ({"a.png": "x"}, {})
    assert matched([("a", "")], ["a.png"])[1] == {"a.png": "its label is empty (line 1)"}
    with pytest.raises(Im2TexError, match="line 2: a has a different label in line 1"):
        matched([("a", "x"), ("./a", "y")], ["a.png"])
