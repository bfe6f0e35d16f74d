"""`im2tex ngram`: table of perplexities, result file, wrong options."""

import math

import pytest
from tiny_run import im2tex

from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES
from im2tex.data.store import write_split
from im2tex.evaluation.results import read_result
from im2tex.language import KneserNey

TRAIN = ["x + 1", "x - 1", "y + 1", "y + 2", "x ^ { 2 }", "z"]
HELD = ["y - 1", "x + q"]


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "train.txt", tmp_path / "held.txt"
    for path, formulas in zip(paths, (TRAIN, HELD), strict=True):
        path.write_text("".join(f"{formula}\n" for formula in formulas), "utf-8")
    return paths


def test_ngram_of_files_writes_perplexities(files, tmp_path, capsys):
    train, held = files
    out = tmp_path / "results" / "ngram" / "mine"
    flags = ("--order", 3, "--min_count", 2, "--out", out)
    assert im2tex("ngram", "--train", train, "--test", held, *flags) == 0
    result = read_result(tmp_path / "results" / "ngram" / "mine.json")
    model = KneserNey([one.split() for one in TRAIN], 3, min_count=2)
    for name, formulas in {"train": TRAIN, "held": HELD}.items():
        log_p = model.log_p([one.split() for one in formulas])
        expected = math.exp(-log_p.mean())
        assert result["metrics"][name] == {"perplexity": pytest.approx(expected)}
    assert result["data"]["splits"] == {"train": 6, "held": 2}
    assert result["data"]["tokens"] == {"train": 4 * 4 + 6 + 2, "held": 2 * 4}
    # Seen once in training: - ^ { } z; q not at all.
    assert result["data"]["unknown"] == {"train": 5, "held": 2}
    assert result["data"]["vocabulary"] == len({"x", "+", "1", "y", "2"})
    assert result["config"]["order"] == 3
    said = capsys.readouterr().out
    perplexity = result["metrics"]["held"]["perplexity"]
    assert f"{perplexity:.3f}" in next(x for x in said.splitlines() if "perplexity" in x)
    assert "mine.json" in said


def test_ngram_of_prepared_splits_prints_each_once(tmp_path, capsys):
    sizes = {"size_train": 20, "size_validation": 4, "size_test": 4}
    SOURCES.build("grammar", sizes).ensure(tmp_path / "data")
    arguments = ("--train", "grammar:train", "--test", "grammar:validation")
    assert im2tex("ngram", *arguments, "--test", "grammar:train", "--root", tmp_path / "data") == 0
    head = next(x for x in capsys.readouterr().out.splitlines() if "validation" in x)
    assert head.split() == ["train", "validation"]  # each once


def test_ngram_columns_of_several_sources_have_full_names(files, tmp_path):
    train, _ = files
    for source in ("grammar", "crohme"):
        samples = (Sample(str(k), text, tuple(text.split())) for k, text in enumerate(TRAIN))
        write_split(tmp_path / "data" / source / "test.parquet", samples, {"source": source})

    def names(*arguments):
        out = ("--root", tmp_path / "data", "--out", tmp_path / "result")
        assert im2tex("ngram", *arguments, *out) == 0
        result = read_result(tmp_path / "result.json")
        assert set(result["metrics"]) == set(result["data"]["splits"])
        return list(result["metrics"]), result["data"]["source"]

    grammar, crohme = "grammar:test", "crohme:test"
    assert names("--train", grammar) == (["test"], "grammar")
    assert names("--train", grammar, "--test", crohme) == ([grammar, "test"], "crohme")
    assert names("--train", train, "--test", crohme) == ([str(train), "test"], "crohme")
    both = ([str(train), grammar, crohme], f"{grammar}, {crohme}")
    assert names("--train", train, "--test", grammar, "--test", crohme) == both
    other = tmp_path / "more" / "train.txt"
    other.parent.mkdir()
    other.write_text("x\n", "utf-8")
    assert names("--train", train, "--test", other)[0] == [str(train), str(other)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "crohme"], "no file crohme; a prepared split is written SOURCE:SPLIT"),
        (["--train", "crohm:train"], "did you mean 'crohme'"),
        (["--train", "grammar:nothing"], "has no split 'nothing'"),
        (["--train", "TRAIN", "--order", "0"], "--order must be >= 1, got 0"),
        (["--train", "TRAIN", "--min_count", "0"], "--min_count must be >= 1, got 0"),
        (["--train", "TRAIN", "--out", "."], "is a folder; give the path of a JSON file"),
        (["--train", "EMPTY"], "holds no formulas"),
        ([], "required: --train"),
    ],
)
def test_ngram_wrong_options_are_one_line(arguments, message, files, tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("\n", "utf-8")
    places = {"TRAIN": files[0], "EMPTY": tmp_path / "empty.txt"}
    assert im2tex("ngram", *(places.get(one, one) for one in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
