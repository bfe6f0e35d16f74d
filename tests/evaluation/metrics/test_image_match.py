"""Image match: golden cases by hand, the two rules, and a plain version of the released one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from im2tex.evaluation.metrics import image_match
from im2tex.evaluation.metrics.image_match import compare_images
from im2tex.evaluation.metrics.totals import ScoreTotals

H = 12
BAR = [1] * H  # a column full of ink
BLANK = [0] * H
HALF = [1] * 6 + [0] * 6


def image_of(*columns):
    """(H, W) uint8 from columns of ink."""
    return np.where(np.array(columns).T > 0, 0, 255).astype(np.uint8)


def matches(scores):
    names = ("match", "match_no_space", "match_released", "match_no_space_released")
    return tuple(scores[f"image_{name}"] for name in names)


def test_compare_images_equal_images_match():
    one = image_of(BAR, BLANK, HALF)
    found = compare_images(one, one.copy())
    assert matches(found) == (True,) * 4
    assert (found["image_edits"], found["image_columns"]) == (0, 3)


def test_compare_images_four_columns_may_differ_and_five_may_not():
    gold = image_of(*[BAR] * 10, *[HALF] * 5)
    four = image_of(*[BAR] * 14, HALF)
    five = image_of(*[BAR] * 15)
    # HALF and BAR differ in 6 pixels, so they are different letters.
    assert matches(compare_images(four, gold)) == (True,) * 4
    assert matches(compare_images(five, gold)) == (False,) * 4
    assert compare_images(four, gold)["image_edits"] == 4
    assert compare_images(five, gold)["image_edits"] == 5


def test_compare_images_columns_four_pixels_apart_match_and_cost_edits():
    almost = [1] * 8 + [0] * 4  # 4 pixels from BAR
    too_far = [1] * 7 + [0] * 5  # 5 pixels
    gold = image_of(*[BAR] * 6)
    near = compare_images(image_of(*[almost] * 6), gold)
    assert matches(near) == (True,) * 4
    assert near["image_edits"] == 6
    assert matches(compare_images(image_of(*[too_far] * 6), gold)) == (False,) * 4


def test_compare_images_extra_ink_passes_the_released_script_only():
    gold = image_of(BAR, HALF)
    longer = image_of(BAR, HALF, *[BAR] * 20)
    found = compare_images(longer, gold)
    # 20 inserted columns span none of the gold's.
    assert matches(found) == (False, False, True, True)
    # The other way round, 20 of the gold's columns are deleted.
    assert matches(compare_images(gold, longer)) == (False,) * 4
    assert (found["image_edits"], found["image_columns"]) == (20, 22)


def test_compare_images_without_white_space_ignores_blank_columns():
    gold = image_of(BAR, *[BLANK] * 9, HALF)
    tight = image_of(BAR, HALF)
    # Nine blank columns are deleted.
    assert matches(compare_images(tight, gold)) == (False, True, False, True)
    assert compare_images(tight, gold)["image_edits"] == 9
    # As insertions they pass the released script anyway.
    assert matches(compare_images(gold, tight)) == (False, True, True, True)


def test_compare_images_neighbouring_operations_are_one_block_when_symmetric():
    # Gold has two columns that are replaced and four that are deleted behind them.
    other = [0] * 6 + [1] * 6
    gold = image_of(BAR, HALF, HALF, other, other, other, other, BAR)
    guess = image_of(BAR, BLANK, BLANK, BAR)
    found = compare_images(guess, gold)
    assert found["image_edits"] == 6
    assert not found["image_match"]
    assert found["image_match_released"]  # no single operation spans five


def test_compare_images_the_shorter_is_padded_at_the_bottom():
    tall = image_of([1, 1] + [0] * 10, [1, 1] + [0] * 10)
    low = tall[:2]
    assert compare_images(low, tall)["image_edits"] == 0
    assert compare_images(tall[1:], tall)["image_edits"] == 2


def test_compare_images_grey_is_ink_up_to_128():
    black = np.zeros((9, 9), np.uint8)
    assert compare_images(np.full((9, 9), 128, np.uint8), black)["image_edits"] == 0
    assert compare_images(np.full((9, 9), 129, np.uint8), black)["image_edits"] == 9


def test_compare_images_all_blank_against_ink():
    blank, ink = image_of(BLANK, BLANK), image_of(BAR, BAR)
    # Two columns are too few to fail, but without white space nothing is left of one of them.
    assert matches(compare_images(blank, ink)) == (True, False, True, False)


def test_compare_images_sums_by_hand():
    gold = image_of(*[BAR] * 10, *[HALF] * 5)
    longer = image_of(*[BAR] * 10, *[HALF] * 10)
    pairs = [(gold, gold), (longer, gold), (gold, None), (None, gold), (None, gold)]
    totals = ScoreTotals()
    for prediction, reference in pairs:
        totals.add(compare_images(prediction, reference))
    values = totals.values()
    # Ours: 1 of 5 right; edits 0 + 5 + 15 + 15 + 15, columns 15 + 20 + 15 + 15 + 15.
    assert values["image_match"] == values["image_match_no_space"] == 1 / 5
    assert values["image_exact"] == 1 / 5
    assert values["image_edit_score"] == 1 - 50 / 80
    # Released: the sample without an image of the reference is left out; the longer one passes.
    assert values["image_match_released"] == values["image_match_no_space_released"] == 2 / 4
    assert values["image_edit_score_released"] == 1 - 35 / 65


COLUMN = st.lists(st.integers(0, 1), min_size=H, max_size=H)


@st.composite
def images(draw):
    letters = draw(st.lists(COLUMN, min_size=1, max_size=6))
    letters += [BLANK, BAR]
    return image_of(*draw(st.lists(st.sampled_from(letters), min_size=1, max_size=30)))


def slow(gold, guess):
    """The released rule, in its obvious form: letters one column after the other."""
    ink = [(image <= 128).T.tolist() for image in (gold, guess)]

    def verdict(first, second):
        if not first or not second:
            return not first and not second
        seen, letters = [], {}
        for column in first + second:
            if tuple(column) in letters:
                continue
            for number, other in enumerate(seen):
                if sum(a != b for a, b in zip(column, other, strict=True)) < 5:
                    letters[tuple(column)] = number
                    break
            else:
                letters[tuple(column)] = len(seen)
                seen.append(column)
        a, b = ([letters[tuple(c)] for c in side] for side in (first, second))
        return all(
            op.tag == "equal" or op.src_end - op.src_start < 5 for op in Levenshtein.opcodes(a, b)
        )

    full = verdict(*ink) or ink[0] == ink[1]
    return full, verdict(*([c for c in side if any(c)] for side in ink))


@settings(max_examples=100, deadline=None)
@given(images(), images())
def test_compare_images_equals_the_released_rule(gold, guess):
    found = compare_images(guess, gold)
    assert matches(found)[2:] == slow(gold, guess)


@settings(max_examples=100, deadline=None)
@given(images(), images())
def test_compare_images_is_symmetric(gold, guess):
    one, other = compare_images(guess, gold), compare_images(gold, guess)
    names = ("image_match", "image_match_no_space", "image_edits")
    assert [one[name] for name in names] == [other[name] for name in names]


@pytest.mark.parametrize("old_numpy", [False, True])
def test_compare_images_tall_images_and_numpy_without_a_bit_count(old_numpy, monkeypatch):
    if old_numpy:
        monkeypatch.delattr(np, "bitwise_count", raising=False)
    rng = np.random.default_rng(0)
    for height in (63, 64, 65, 200):
        columns = (rng.random((height, 6)) < 0.5) * 255
        gold = columns[:, rng.integers(0, 6, 40)].astype(np.uint8)
        guess = gold.copy()
        guess[rng.integers(0, height, 60), rng.integers(0, 40, 60)] ^= 255
        guess = np.delete(guess, slice(3, rng.integers(4, 12)), axis=1)
        found = compare_images(guess, gold)
        assert matches(found)[2:] == slow(gold, guess)


def test_compare_images_wide_images_without_the_table(monkeypatch):
    rng = np.random.default_rng(1)
    gold, guess = ((rng.random((12, 60)) < 0.5).astype(np.uint8) * 255 for _ in range(2))
    before = compare_images(guess, gold)
    monkeypatch.setattr(image_match, "_MAX_TABLE_COLUMNS", 0)
    assert compare_images(guess, gold) == before
