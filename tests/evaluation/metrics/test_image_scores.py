"""Scores on pictures: golden cases by hand, the two definitions, and the released rule in slow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from im2tex.evaluation.metrics import ImageScores, compare_pictures, image_match
from im2tex.evaluation.metrics.image_match import compare_images
from im2tex.render import Cause, Failure, Rendering
from im2tex.render.rendering import encode_png

H = 12
BAR = [1] * H  # a column full of ink
BLANK = [0] * H
HALF = [1] * 6 + [0] * 6


def picture(*columns):
    """(H, W) uint8 from columns of ink."""
    return np.where(np.array(columns).T > 0, 0, 255).astype(np.uint8)


def verdicts(c):
    return c.match, c.match_no_space, c.match_released, c.match_no_space_released


def test_equal_pictures_match():
    one = picture(BAR, BLANK, HALF)
    found = compare_images(one, one.copy())
    assert verdicts(found) == (True,) * 4
    assert (found.edits, found.width) == (0, 3)


def test_four_columns_may_differ_and_five_may_not():
    gold = picture(*[BAR] * 10, *[HALF] * 5)
    four = picture(*[BAR] * 14, HALF)
    five = picture(*[BAR] * 15)
    # HALF and BAR differ in 6 pixels, so they are different letters.
    assert verdicts(compare_images(four, gold)) == (True,) * 4
    assert verdicts(compare_images(five, gold)) == (False,) * 4
    assert compare_images(four, gold).edits == 4
    assert compare_images(five, gold).edits == 5


def test_columns_that_differ_in_four_pixels_are_equal_but_cost_edits():
    almost = [1] * 8 + [0] * 4  # 4 pixels from BAR
    too_far = [1] * 7 + [0] * 5  # 5 pixels
    gold = picture(*[BAR] * 6)
    near = compare_images(picture(*[almost] * 6), gold)
    assert verdicts(near) == (True,) * 4
    assert near.edits == 6
    assert verdicts(compare_images(picture(*[too_far] * 6), gold)) == (False,) * 4


def test_extra_ink_passes_the_released_script_only():
    gold = picture(BAR, HALF)
    longer = picture(BAR, HALF, *[BAR] * 20)
    found = compare_images(longer, gold)
    # 20 inserted columns span none of the gold's.
    assert verdicts(found) == (False, False, True, True)
    # The other way round, 20 of the gold's columns are deleted.
    assert verdicts(compare_images(gold, longer)) == (False,) * 4
    assert (found.edits, found.width) == (20, 22)


def test_white_space_is_left_out_of_the_second_verdict():
    gold = picture(BAR, *[BLANK] * 9, HALF)
    tight = picture(BAR, HALF)
    # Nine blank columns are deleted.
    assert verdicts(compare_images(tight, gold)) == (False, True, False, True)
    assert compare_images(tight, gold).edits == 9
    # As insertions they pass the released script anyway.
    assert verdicts(compare_images(gold, tight)) == (False, True, True, True)


def test_neighbouring_operations_are_one_block_for_us():
    # Gold has two columns that are replaced and four that are deleted behind them.
    other = [0] * 6 + [1] * 6
    gold = picture(BAR, HALF, HALF, other, other, other, other, BAR)
    guess = picture(BAR, BLANK, BLANK, BAR)
    found = compare_images(guess, gold)
    assert found.edits == 6
    assert not found.match
    assert found.match_released  # no single operation spans five


def test_the_shorter_is_padded_at_the_bottom():
    tall = picture([1, 1] + [0] * 10, [1, 1] + [0] * 10)
    low = tall[:2]
    assert compare_images(low, tall).edits == 0
    assert compare_images(tall[1:], tall).edits == 2


def test_grey_is_ink_up_to_128():
    assert compare_images(np.full((9, 9), 128, np.uint8), np.zeros((9, 9), np.uint8)).edits == 0
    assert compare_images(np.full((9, 9), 129, np.uint8), np.zeros((9, 9), np.uint8)).edits == 9


def test_all_blank_against_ink():
    blank, ink = picture(BLANK, BLANK), picture(BAR, BAR)
    # Two columns are too few to fail, but without white space nothing is left of one of them.
    assert verdicts(compare_images(blank, ink)) == (True, False, True, False)


def test_sums_by_hand():
    gold = picture(*[BAR] * 10, *[HALF] * 5)
    longer = picture(*[BAR] * 10, *[HALF] * 10)
    failed = Rendering(failure=Failure(Cause.TEX, "Missing } inserted."))
    scores = ImageScores("tex")
    predictions = [gold, longer, Rendering(png=encode_png(gold)), failed, None]
    comparisons = compare_pictures(predictions, [gold, gold, failed, gold, gold])
    # In two batches, as after the sum of two processes.
    scores.update(comparisons[:2], "tex")
    scores.update(comparisons[2:], "tex")
    values = {name: float(value) for name, value in scores.compute().items()}
    # Ours: 1 of 5 right; edits 0 + 5 + 15 + 15 + 15, columns 15 + 20 + 15 + 15 + 15.
    assert values["image_match"] == values["image_match_no_space"] == 1 / 5
    assert values["image_edit_score"] == 1 - 50 / 80
    # Released: the sample without a gold picture is left out; the longer one passes.
    assert values["image_match_released"] == values["image_match_no_space_released"] == 2 / 4
    assert values["image_edit_score_released"] == 1 - 35 / 65
    assert values["image_samples"] == 5
    assert values["image_predictions_missing"] == 2
    assert values["image_references_missing"] == 1


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_nan_before_the_first_sample_and_after_reset():
    scores = ImageScores("tex", prefix="test/")
    scores.update(compare_pictures([picture(BAR)], [picture(BAR)]))
    scores.reset()
    assert torch.isnan(scores.compute()["test/image_match"])
    assert torch.isnan(scores.compute()["test/image_edit_score"])


def test_engines_are_never_mixed():
    scores = ImageScores("tex:200")
    with pytest.raises(ValueError, match="builtin"):
        scores.update(compare_pictures([None], [None]), "builtin:200")
    # As after a reduction over processes of which one drew with another engine.
    scores.signature_high = scores.signature_high + 1
    with pytest.raises(ValueError, match="different engines"):
        scores.compute()


def test_numbers_must_agree():
    with pytest.raises(ValueError, match="1 predictions against 2"):
        compare_pictures([None], [None, None])


COLUMN = st.lists(st.integers(0, 1), min_size=H, max_size=H)


@st.composite
def images(draw):
    letters = draw(st.lists(COLUMN, min_size=1, max_size=6))
    letters += [BLANK, BAR]
    return picture(*draw(st.lists(st.sampled_from(letters), min_size=1, max_size=30)))


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
def test_the_quick_way_is_the_released_rule(gold, guess):
    found = compare_images(guess, gold)
    assert (found.match_released, found.match_no_space_released) == slow(gold, guess)


@settings(max_examples=100, deadline=None)
@given(images(), images())
def test_ours_is_symmetric_and_stricter(gold, guess):
    one, other = compare_images(guess, gold), compare_images(gold, guess)
    assert (one.match, one.match_no_space, one.edits) == (
        other.match,
        other.match_no_space,
        other.edits,
    )


@pytest.mark.parametrize("old_numpy", [False, True])
def test_tall_pictures_and_numpy_without_a_bit_count(old_numpy, monkeypatch):
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
        assert (found.match_released, found.match_no_space_released) == slow(gold, guess)


def test_wide_pictures_without_the_table(monkeypatch):
    rng = np.random.default_rng(1)
    gold, guess = ((rng.random((12, 60)) < 0.5).astype(np.uint8) * 255 for _ in range(2))
    before = compare_images(guess, gold)
    monkeypatch.setattr(image_match, "_TABLE", 0)
    assert compare_images(guess, gold) == before
