"""Differences between labels are counted under the class that explains them."""

import pytest

from im2tex.latex.crohme.label_agreement import classify, compare_labels, describe_agreement


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("x ^ { 2 }", "x ^ { 2 }", None),
        (r"\int _ { a } ^ { b } x", r"\int ^ { b } _ { a } x", "order of scripts"),
        (r"f ^ { \prime }", "f ^ { ' }", "spelling of the prime"),
        (r"1 + \cdots", r"1 + \ldots", "kind of dots"),
        (". . . + 1", r"\cdots + 1", "kind of dots"),
        (r"l o g x", r"\log x", "function as letters"),
        ("1 . 4 0", "1 . 4", "zeros of a number"),
        ("9 . 0", "9", "zeros of a number"),
        ("0 8 . 3", "8 . 3", "zeros of a number"),
        ("0 2", "2", "zeros of a number"),
        ("x ^ { 2 }", "x 2", "structure"),
        ("3 , 1 4", "3 1 , 4", "order of symbols"),
        ("a + b", "a + b c", "symbols missing"),
        ("a + b c", "a + b", "symbols added"),
        ("a + b", "a + c", "other symbols"),
        ("1 0", "1", "symbols added"),
        ("x { ^", "x ^ { 2", "symbols missing"),
    ],
)
def test_classify_difference(ours, theirs, kind):
    assert classify(ours.split(), theirs.split()) == kind


def test_compare_labels_counts_and_examples():
    ours = {"a": ["x"], "b": ["1", ".", "0"], "c": ["y"], "d": ["2", ".", "0"]}
    theirs = {"a": ["x"], "b": ["1"], "d": ["2"], "e": ["z"]}
    found = compare_labels(ours, theirs)
    assert (found.compared, found.equal, found.missing) == (3, 1, 1)
    assert found.classes == {"zeros of a number": 2}
    assert found.examples["zeros of a number"] == ("b", ["1", ".", "0"], ["1"])
    assert found.fraction == pytest.approx(1 / 3)
    first, second = describe_agreement(found)
    assert first == "labels agree on 1 of 3 (33.33 %)"
    assert "zeros of a number: 2" in second


def test_compare_labels_of_nothing_agree():
    assert compare_labels({}, {}).fraction == 1.0
