"""Text and JSON of anybody: shown without harm, parsed within limits."""

import pytest

from im2tex.utils.untrusted_text import (
    BadJsonError,
    escape_surrogates,
    has_surrogate,
    parse_json,
    quote,
    strip_control,
)


def test_strip_control_replaces_control_characters():
    assert strip_control("a\x1b[2J\x9b\x07\u202eb\ud800é") == "a\ufffd[2J\ufffd\ufffd\ufffdb\ufffdé"
    assert strip_control("a\nb\tc", keep="\n") == "a\nb\ufffdc"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b\n", r"'a\x1b\n'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 61, f"'{'x' * 60}'…"),
        ("x" * 60, f"'{'x' * 60}'"),
        (10**100, f"1{'0' * 59}…"),
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (False, "false"),
        (0.5, "0.5"),
        ([1], "a list"),
        ({}, "an object"),
    ],
)
def test_quote_gives_one_clipped_line(value, text):
    assert quote(value) == text


def test_escape_surrogates_is_read_back_by_json():
    assert escape_surrogates('["\ud800é"]') == '["\\ud800é"]'
    assert parse_json(escape_surrogates('["\ud800"]')) == ["\ud800"]
    assert has_surrogate("x\udfff")
    assert not has_surrogate("\U0001d465")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ('{"a":\n-Infinity}', "-Infinity, which is no number of JSON", 2),
        ("[1,\n1e400]", "'1e400', a number too large", 2),
        ("[1,\n%s]" % ("7" * 301), "a number of 301 digits", 2),
        ('{"a": 1,\n"b": 2,\n"a": 3}', "the key 'a' twice in one object", 3),
        ('{"é": 1,\n"x": "é",\n"\\u00e9" : 2}', "the key 'é' twice in one object", 3),
        ('{"a": 1,\n"\\u0061": 3}', "the key 'a' twice in one object", None),
        ("[1,\n2", "Expecting ',' delimiter (column 2)", 2),
        ("[" * 100_000, "lists or objects are nested too deeply", None),
    ],
)
def test_parse_json_invalid_text_names_reason_and_line(text, message, line):
    with pytest.raises(BadJsonError) as caught:
        parse_json(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line


def test_parse_json_valid_text_equals_json_loads():
    assert parse_json('{"a": [1, -2.5, "x", null, true], "b": {"a": 1}}') == {
        "a": [1, -2.5, "x", None, True],
        "b": {"a": 1},
    }
    assert parse_json("9" * 300) == int("9" * 300)
