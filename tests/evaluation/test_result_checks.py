"""Damaged, foreign and hostile result files: one line each, whatever reads them."""

import json

import pytest
from helpers_comparison import OF_A, save
from tiny_run import im2tex

from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result, read_samples

SAMPLE = {"key": "k", "gold": ["x"], "prediction": ["x"], "metrics": {"token_exact": True}}


@pytest.fixture
def result(tmp_path):
    return save(tmp_path / "a.json", {"test": OF_A}, metrics={"test": {"token_exact": 0.5}})


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metrics": {"test": {"token_exact": "0.5"}}},
            "'token_exact' is '0.5'; expected a number",
        ),
        ({"metrics": {"test": {"token_exact": True}}}, "'token_exact' is true; expected a number"),
        (
            {"metrics": {"test": 1}},
            "'metrics', 'test' is 1; expected an object of values by metric",
        ),
        ({"metrics": []}, "'metrics' is a list"),
        (
            {"metrics": {"test\n": {}}},
            r"'metrics', a name is 'test\n'; expected 1 to 100 characters",
        ),
        ({"metrics": {"test": {"a" * 101: 1}}}, "'metrics', 'test', a name is 'aaa"),
        (
            {"data": {"splits": {"test": "6"}}},
            "'splits', 'test' is '6'; expected a number of samples",
        ),
        ({"data": {"splits": {"test": -1}}}, "'test' is -1"),
        ({"data": {"stores": {"test": []}}}, "'stores', 'test' is a list; expected an object"),
        ({"data": "crohme"}, "'data' is 'crohme'"),
        ({"signatures": {"beam": 5}}, "'signatures', 'beam' is 5; expected text"),
        ({"machine": {"gpus": ["G"]}}, "'gpus', number 1 is 'G'; expected an object"),
        ({"machine": "m"}, "'machine' is 'm'"),
        ({"config": {"model": []}}, "'model' is a list"),
        ({"command": None}, "'command' is null; expected text"),
        ({"date": 2026}, "'date' is 2026; expected text"),
        ({"seed": "0"}, "'seed' is '0'"),
        ({"chain": [1]}, "'chain', number 1 is 1; expected text"),
        ({"format": 2}, "result format 2; this version reads 1"),
        ({"format": "1"}, "result format '1'"),
        ({"format": True}, "result format true"),
    ],
)
def test_read_result_wrong_part_is_named_in_every_command(result, capsys, changes, message):
    change(result, **changes)
    with pytest.raises(Im2TexError) as caught:
        read_result(result)
    assert message in str(caught.value)
    for command in (["report", "study", result.parent], ["compare", result, result]):
        assert im2tex(*command) == 2
        said = capsys.readouterr().err
        assert message in said
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["command", "data", "metrics", "date", "seed"])
def test_read_result_missing_part_is_named(result, name):
    record = json.loads(result.read_text())
    del record[name]
    result.write_text(json.dumps(record))
    with pytest.raises(Im2TexError, match=rf"a\.json: '{name}' is missing; expected"):
        read_result(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no result file: line 1: Expecting value"),
        ("[" * 100_000, "no result file: lists or objects are nested too deeply"),
        ('{"format": 1,\n"format": 1}', "no result file: line 2: the key 'format' twice"),
        ('{"format": %s}' % ("1" * 5000), "no result file: line 1: a number of 5,000 digits"),
        ('{"format": 1, "seed": NaN}', "no result file: line 1: NaN"),
        ("[]", "result format a list"),
    ],
)
def test_read_result_bad_json_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(Im2TexError, match=message):
        read_result(tmp_path / "a.json")


def test_read_result_saved_again_as_utf16_is_read(result):
    result.write_text(result.read_text(), encoding="utf-16")
    assert read_result(result)["metrics"] == {"test": {"token_exact": 0.5}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "k" * 1001}, "'key' is 'k{60}'…; expected text of at most 1,000"),
        ({"gold": None}, "'gold' is null; expected a list of tokens"),
        ({"gold": [1]}, "'gold' is a list; expected a list of tokens"),
        ({"prediction": "x"}, "'prediction' is 'x'; expected a list of tokens or null"),
        ({"score": "1"}, "'score' is '1'; expected a number or null"),
        ({"score": True}, "'score' is true"),
        ({"latex": 1}, "'latex' is 1; expected text or null"),
        ({"failed_at": []}, "'failed_at' is a list"),
        ({"metrics": {"a\x1b": True}}, r"'metrics', a name is 'a\\x1b'; expected 1 to 100 char"),
        ({"metrics": {"a": "1"}}, "'metrics', 'a' is '1'; expected true, false, null or a number"),
        ({"metrics": {"a": 1e300}}, "'metrics', 'a' is 1e.300"),
        ({"metrics": {"a": 10**200}}, "'metrics', 'a' is 10{59}…"),
        ({"more": 1}, "'more' is no part of one"),
    ],
)
def test_read_samples_wrong_part_is_named_with_its_line(tmp_path, changes, message):
    lines = [json.dumps(SAMPLE), json.dumps(SAMPLE | {"key": "l"} | changes)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(Im2TexError, match=rf"line 2: no sample.*{message}"):
        list(read_samples(tmp_path / "a.jsonl"))


def test_read_samples_of_an_earlier_version_have_todays_names(tmp_path):
    scores = {"token_edits": 0, "image_match_released": True, "image_edits": 2, "image_columns": 9}
    old = {name: value for name, value in SAMPLE.items() if name != "metrics"}
    (tmp_path / "a.jsonl").write_text(json.dumps(old | {"verdicts": scores}) + "\n")
    (sample,) = read_samples(tmp_path / "a.jsonl")
    released = {"image_edits_released": 2, "image_columns_released": 9}
    assert sample.metrics == scores | released | {"reference_tokens": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"key": "k", "key": "l"}', "line 2: no sample: the key 'key' twice in one object"),
        ('{"metrics": {"a": Infinity}}', "line 2: no sample: Infinity"),
        ('{"a": ' + "[" * 100_000, "line 2: no sample: .*nested too deeply"),
        ("", "line 2: no sample: Expecting value"),
    ],
)
def test_read_samples_bad_json_is_named_with_its_line(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(SAMPLE)}\n{line}\n")
    with pytest.raises(Im2TexError, match=message):
        list(read_samples(tmp_path / "a.jsonl"))


def test_compare_control_characters_in_keys_are_written_safely(tmp_path, capsys):
    for name in ("a", "b"):
        changes = {"key": "\udcff\x9b", "prediction": [name, "\x1b[2J\ud800"]}
        changes["metrics"] = {"token_exact": name == "a"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(SAMPLE | changes))
    both = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert im2tex("compare", *both, "--changed", tmp_path / "c.jsonl") == 0
    assert (tmp_path / "c.jsonl").read_text("utf-8")
    assert im2tex("compare", *both, "--json") == 0
    said = capsys.readouterr()
    assert not any(char in said.out + said.err for char in "\x1b\x9b\ud800")


def test_load_test_result_empty_name_of_samples_is_an_error(result, capsys):
    change(result, samples={"test": ""})
    assert im2tex("compare", result, result) == 2
    assert "samples must lie beside their result, got ''" in capsys.readouterr().err
