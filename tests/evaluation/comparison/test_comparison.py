"""Planted differences are found, all of them and no others."""

import dataclasses
import json
import math

import pytest
from helpers_comparison import OF_A, OF_B, SIGNATURES, sample, save

from im2tex.errors import Im2TexError
from im2tex.evaluation.comparison.comparison import compare_tests
from im2tex.evaluation.comparison.loading import load_test_result
from im2tex.evaluation.results import write_samples


def compared(a, b, **options):
    return compare_tests(load_test_result(a), [load_test_result(b)], **options)[0]


@pytest.fixture
def compare(tmp_path):
    """Compares lists of samples as one split of two results that are otherwise the same."""

    def run(of_a, of_b, **options):
        a = save(tmp_path / "a.json", {"test": of_a})
        b = save(tmp_path / "b.json", {"test": of_b})
        return compared(a, b, **options)

    return run


def metrics(split):
    return {metric.name: metric for metric in split.metrics}


def right(split):
    """Keys of the samples that only the first test has right, and those of the second."""
    return tuple([a.key for a, _ in pairs] for pairs in split.right)


# ---------------------------------------------------------------- figures


def test_compare_tests_planted_differences_have_their_values(compare):
    comparison = compare(OF_A, OF_B)
    (split,) = comparison.splits
    assert (split.split, split.samples, split.by) == ("test", 6, "token_exact")
    assert right(split) == (["lost-1", "lost-2"], ["gained"])
    assert all(a.key == b.key for a, b in split.right[0])
    exact, rate = split.metrics
    assert (exact.name, exact.kind, exact.samples) == ("token_exact", "rate", 6)
    assert (exact.a, exact.b) == (pytest.approx(4 / 6), pytest.approx(3 / 6))
    assert exact.difference == pytest.approx(-1 / 6)
    assert (exact.only_a, exact.only_b) == (2, 1)
    assert exact.p == pytest.approx(1.0)  # 2 of 3: as even as three samples can be
    # 13 reference tokens; A has 1 + 2 edits (a wrong sign; \sin by two), B 1 + 1 + 1 (^, z, x).
    assert (rate.name, rate.kind, rate.samples) == ("token_error_rate", "ratio", 6)
    assert (rate.a, rate.b) == (pytest.approx(3 / 13), pytest.approx(3 / 13))
    assert (rate.only_a, rate.only_b, rate.p) == (None, None, None)


def test_compare_tests_interval_contains_the_difference(compare):
    of_a = [sample(str(number), "x", "x" if number < 60 else "y") for number in range(200)]
    of_b = [sample(str(number), "x", "x" if number >= 30 else "y") for number in range(200)]
    exact = metrics(compare(of_a, of_b).splits[0])["token_exact"]
    assert (exact.only_a, exact.only_b) == (30, 140)
    difference = 110 / 200
    error = math.sqrt((170 / 200 - difference**2) / 200)
    assert exact.difference == pytest.approx(difference)
    assert exact.low == pytest.approx(difference - 1.96 * error, abs=0.1 * error)
    assert exact.high == pytest.approx(difference + 1.96 * error, abs=0.1 * error)


def test_compare_tests_result_against_itself_does_not_differ(compare):
    comparison = compare(OF_A, OF_A)
    (split,) = comparison.splits
    assert right(split) == ([], [])
    for metric in split.metrics:
        assert (metric.difference, metric.low, metric.high) == (0, 0, 0)
        assert metric.p in (None, 1.0)


def test_compare_tests_all_shared_metrics_in_the_order_of_the_table(compare):
    of_a = [
        sample(str(n), "x", "x", zeta=n, image_match=n < 2, expression_rate=True) for n in (1, 2)
    ]
    of_b = [sample(str(n), "x", "x", zeta=n + 3, image_match=True, other=1.0) for n in (1, 2)]
    comparison = compare(of_a, of_b)
    (split,) = comparison.splits
    assert [metric.name for metric in split.metrics] == [
        "image_match",
        "token_exact",
        "token_error_rate",
        "zeta",
    ]
    assert split.by == "image_match"
    # The same prediction with another score, as by another engine.
    assert right(split) == ([], ["2"])
    zeta = metrics(split)["zeta"]
    assert (zeta.kind, zeta.a, zeta.b, zeta.low, zeta.high) == ("mean", 1.5, 4.5, 3, 3)
    assert "test: only A has expression_rate" in comparison.notes
    assert "test: only B has other" in comparison.notes


def test_compare_tests_summed_numbers_are_ratios_of_sums(compare):
    def samples(edits, columns, lookups, steps):
        return [
            sample(
                f"k{n}",
                "x",
                "x",
                image_edits=edits[n],
                image_columns=columns[n],
                lookups_fine=lookups[n],
                steps=steps[n],
                finished=True,
                **({"image_match_released": False} if n else {}),
            )
            for n in range(2)
        ]

    comparison = compare(
        samples([1, 3], [10, 30], [100, 300], [2, 6]),
        samples([0, 10], [10, 40], [20, 80], [2, 8]),
    )
    found = metrics(comparison.splits[0])
    assert found.keys() == {
        "token_exact",
        "token_error_rate",
        "image_match_released",
        "image_edit_score",
        "image_edit_score_released",
        "lookups_fine",
    }
    score = found["image_edit_score"]
    # 4 edits of 40 columns, 10 of 50. Drawn twice, the first sample gives 9/10 and 1, the second
    # 9/10 and 3/4, so that the difference lies between -0.15 and 0.1.
    assert (score.kind, score.a, score.b) == ("ratio", pytest.approx(0.9), pytest.approx(0.8))
    assert (score.low, score.high) == (pytest.approx(-0.15), pytest.approx(0.1))
    # The script of Deng et al. scores the second sample only.
    released = found["image_edit_score_released"]
    assert (released.samples, released.a, released.b) == (1, pytest.approx(0.9), 0.75)
    lookups = found["lookups_fine"]
    assert (lookups.kind, lookups.a, lookups.b) == ("ratio", 50, 10)


def test_compare_tests_only_some_metrics_in_the_order_given(compare):
    of_a = [sample("k", "x", "x", image_match=False), sample("l", "x", "y", image_match=True)]
    of_b = [sample("k", "x", "x", image_match=True), sample("l", "x", "z", image_match=True)]
    (split,) = compare(of_a, of_b, only=["token_edits", "image_match"]).splits
    assert [metric.name for metric in split.metrics] == ["token_error_rate", "image_match"]
    assert right(split) == ([], ["k"])
    (split,) = compare(of_a, of_b, only=["token_error_rate"]).splits
    assert split.by is None
    assert right(split) == ([], [])
    with pytest.raises(Im2TexError, match=r"'exact'.* token_exact, token_error_rate"):
        compare(of_a, of_b, only=["exact"])


def test_compare_tests_missing_prediction_is_wrong_if_the_other_is_scored(compare):
    of_a = [sample("k", "x", "x", image_match=True), sample("l", "x", "x", image_match=None)]
    of_b = [sample("k", "x", None), sample("l", "x", None), sample("m", "x", "x", image_match=True)]
    comparison = compare([*of_a, sample("m", "x", "x", image_match=False)], of_b)
    match = metrics(comparison.splits[0])["image_match"]
    # l, which was not judged in A either, is left out.
    assert (match.samples, match.a, match.b, match.only_a, match.only_b) == (2, 0.5, 0.5, 1, 1)


def test_compare_tests_numbers_that_are_not_finite_are_left_out(compare):
    of_a = [sample("k", "x", "x", zeta=math.nan), sample("l", "x", "x", zeta=1)]
    of_b = [sample("k", "x", "x", zeta=5.0), sample("l", "x", "x", zeta=2)]
    zeta = metrics(compare(of_a, of_b).splits[0])["zeta"]
    assert (zeta.samples, zeta.a, zeta.b, zeta.low, zeta.high) == (1, 1, 2, 1, 1)


def test_compare_tests_p_values_are_corrected_over_splits_and_tests(tmp_path):
    def result(name, right):
        def samples(split):
            return [sample(f"{split}-{n}", "x", "x" if n < right else "y") for n in range(10)]

        return load_test_result(
            save(tmp_path / f"{name}.json", {split: samples(split) for split in ("one", "two")})
        )

    one, other = compare_tests(result("a", 1), [result("b", 9), result("c", 7)])
    assert one.letter == "B"
    assert other.letter == "C"
    tests = [metrics(split)["token_exact"] for both in (one, other) for split in both.splits]
    # 8 and 6 samples that only the other has right, in two splits each.
    assert [test.p for test in tests] == pytest.approx([2 / 2**8] * 2 + [2 / 2**6] * 2)
    assert [test.p_holm for test in tests] == pytest.approx([4 * 2 / 2**8] * 2 + [2 * 2 / 2**6] * 2)


def test_compare_tests_p_values_of_main_or_chosen_metrics_are_corrected(compare):
    # By each verdict of the two, B alone has six samples right.
    of_a = [sample(str(n), "x", "x", image_match=False, other=False) for n in range(6)]
    of_b = [sample(str(n), "x", "x", image_match=True, other=True) for n in range(6)]

    def corrected(**options):
        found = metrics(compare(of_a, of_b, **options).splits[0])
        assert {found[name].p for name in ("image_match", "other") if name in found} == {2 / 2**6}
        return {name: metric.p_holm for name, metric in found.items() if metric.p_holm}

    assert corrected() == {"image_match": pytest.approx(4 / 2**6), "token_exact": 1.0}
    assert corrected(only=["other"]) == {"other": pytest.approx(2 / 2**6)}
    both = corrected(only=["other", "image_match"])
    assert both == pytest.approx({"other": 4 / 2**6, "image_match": 4 / 2**6})


# ---------------------------------------------------------------- what is in one only


def test_compare_tests_samples_of_one_test_only_are_left_out(compare):
    comparison = compare(OF_A, [*OF_B[1:], sample("more", "u", "u")])
    (split,) = comparison.splits
    assert (split.only_in, split.samples) == ([["same"], ["more"]], 5)
    assert metrics(split)["token_exact"].a == pytest.approx(3 / 5)


def test_compare_tests_splits_of_both_are_compared(tmp_path):
    a = save(tmp_path / "a.json", {"test_2014": OF_A, "test_2016": OF_A})
    b = save(tmp_path / "b.json", {"test_2013": OF_B, "test_2014": OF_B})
    assert [split.split for split in compared(a, b).splits] == ["test_2014"]
    c = save(tmp_path / "c.json", {"test_2019": OF_B})
    with pytest.raises(Im2TexError, match=r"no split in common: test_2014, test_2016 .* test_2019"):
        compared(a, c)


def test_compare_tests_samples_files_need_no_common_split_name(tmp_path):
    save(tmp_path / "a.json", {"test_2014": OF_A})
    save(tmp_path / "b.json", {"theirs": OF_B})
    a, b = tmp_path / "a.test_2014.samples.jsonl", tmp_path / "b.theirs.samples.jsonl"
    comparison = compared(a, b)
    assert comparison.splits[0].split == "test_2014"
    assert right(comparison.splits[0]) == (["lost-1", "lost-2"], ["gained"])
    assert not any("no result beside" in note for note in comparison.notes)


def test_compare_tests_other_data_are_an_error(compare, tmp_path):
    with pytest.raises(Im2TexError, match="none of the 6 and 1 samples have a key in common"):
        compare(OF_A, [sample("another", "x", "x")])
    other = [dataclasses.replace(one, gold=["7"]) if one.key == "wrong" else one for one in OF_B]
    with pytest.raises(Im2TexError, match=r"1 of 6 samples .*'wrong': `\\sin x` and `7`"):
        compare(OF_A, other)


# ---------------------------------------------------------------- what is unfair


def notes(tmp_path, of_b=OF_B, **conditions):
    a = save(tmp_path / "a.json", {"test": OF_A})
    found = compared(a, save(tmp_path / "b.json", {"test": of_b}, **conditions)).notes
    return [note for note in found if "too narrow" not in note]


def test_differing_conditions_same_conditions_give_no_note(tmp_path):
    assert notes(tmp_path, signatures={"checkpoint": "b.ckpt"}) == []


@pytest.mark.parametrize(
    ("conditions", "note"),
    [
        (
            {"signatures": {"beam": "SearchOptions(beam_size=1, n_best=1)"}},
            "search: beam_size=5 in A, beam_size=1 in B",
        ),
        (
            {"signatures": {"image_match": "engine:builtin|dpi:200"}},
            "signature of image_match: engine:tex in A, engine:builtin in B",
        ),
        ({"filter": {"test": "first 6 of 9"}}, "filter of test: none in A, first 6 of 9 in B"),
        ({"filter": "long ones"}, "filter of test: none in A, long ones in B"),
        ({"source": "crohme"}, "data source: grammar in A, crohme in B"),
        (
            {"stores": {"test": {"origin": "two.zip", "split": "all"}}},
            "origin of test: one.zip in A, two.zip in B",
        ),
        (
            {"splits": {"test": 5}},
            "B has 6 samples of test, and its result is over 5: they are of different runs",
        ),
        (
            {"metrics": {"test": {"token_exact": 4 / 6}}},
            "B's samples of test have a token_exact of 50.00 %, and its result says 66.67 %: they "
            "are of different runs",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_differing_conditions_other_conditions_give_a_note(tmp_path, conditions, note):
    assert notes(tmp_path, **conditions) == [note]


def test_differing_conditions_unrecorded_conditions_give_no_note(tmp_path):
    path = save(tmp_path / "b.json", {"test": OF_B})
    record = json.loads(path.read_text())
    a = save(tmp_path / "a.json", {"test": OF_A})
    for changed in ({"data": {}, "signatures": {}}, {"data": None, "signatures": None}):
        path.write_text(json.dumps(record | changed))
        assert len(compared(a, path).notes) == 1  # that six samples are few


def test_differing_conditions_samples_without_a_result_give_a_note(tmp_path):
    write_samples(tmp_path / "theirs.jsonl", OF_B)
    found = compared(save(tmp_path / "a.json", {"theirs": OF_A}), tmp_path / "theirs.jsonl").notes
    assert any(note.startswith("no result beside B") for note in found)


def test_compare_tests_few_samples_give_a_note(compare):
    assert any("6 samples are too narrow" in note for note in compare(OF_A, OF_B).notes)
    many = [sample(str(number), "x", "x") for number in range(30)]
    assert compare(many, many).notes == []


# ---------------------------------------------------------------- files


def test_load_test_result_samples_file_finds_its_result(tmp_path):
    save(tmp_path / "v1.2.json", {"test.a/b": OF_A})
    one = load_test_result(tmp_path / "v1.2.test.a_b.samples.jsonl")
    assert list(one.splits) == ["test.a/b"]
    assert one.record["signatures"] == SIGNATURES


def test_load_test_result_folder_of_a_run_is_its_test(tmp_path):
    save(tmp_path / "version_0" / "test.json", {"test": OF_A})
    assert list(load_test_result(tmp_path / "version_0").splits["test"]) == [
        one.key for one in OF_A
    ]
    with pytest.raises(Im2TexError, match=r"is a folder without a test\.json"):
        load_test_result(tmp_path)


def test_load_test_result_of_another_file_names_it(tmp_path):
    path = save(tmp_path / "a.json", {"test": OF_A})
    record = json.loads(path.read_text())
    samples = tmp_path / "a.test.samples.jsonl"

    def refused(match, changed=path):
        with pytest.raises(Im2TexError, match=match) as error:
            load_test_result(changed)
        assert str(changed.name) in str(error.value)

    refused(r"is no result; .*`im2tex test`", tmp_path / "a.txt")
    refused("cannot read", tmp_path / "nowhere.json")
    refused("cannot read", tmp_path / "nowhere.jsonl")
    for lines in ('{"key": "k", "latex": "x"}\n', "x ^ 2\n", "null\n"):
        samples.write_text(lines)
        refused("line 1: no sample.*`im2tex score`", samples)
    samples.write_bytes(b"\xff\xfe\n")
    refused("is not text in UTF-16", samples)
    good = {"key": "k", "gold": ["x"], "prediction": None, "metrics": {}}
    wrong = [{"key": 1}, {"gold": "x"}, {"prediction": [1]}, {"metrics": []}]
    for changed in [*wrong, {"metrics": {"exact": "yes"}}]:
        samples.write_text(json.dumps(good | changed) + "\n")
        refused("sample.* a key is text", samples)
    samples.write_text((json.dumps(good) + "\n") * 2)
    refused("two samples with the key 'k'", samples)
    samples.unlink()
    refused("is not there.*run its command again")
    for names in ({}, None, [1]):
        path.write_text(json.dumps(record | {"samples": names}))
        refused("lists no samples")
    for name in ("../a.test.samples.jsonl", "/etc/passwd", 3):
        path.write_text(json.dumps(record | {"samples": {"test": name}}))
        refused("beside their result")


def test_compare_tests_more_than_26_are_an_error(tmp_path):
    one = load_test_result(save(tmp_path / "a.json", {"test": OF_A}))
    with pytest.raises(Im2TexError, match="27 results"):
        compare_tests(one, [one] * 26)
