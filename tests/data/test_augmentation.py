"""What happens to a sample in an epoch: a pure function of seed, epoch and key."""

import numpy as np
import pytest
from ink_factory import row

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.ink.augment import Augmentation
from im2tex.ink.recombination.label_structure import aligned_structure
from im2tex.ink.recombination.recombine import SwapBank

SAMPLES = [row(label, key=f"s{i}") for i, label in enumerate(("x+1", "2-y=z", "a+b-c+d", "1=1"))]
BANK = SwapBank.from_samples(SAMPLES)
ALL = TrainingAugmentation(
    0, Augmentation(), BANK, swap_fraction=0.5, swap_probability=0.9, subformula_crop_prob=0.5
)


def same(one, other):
    return (
        one.tokens == other.tokens
        and (one.scale_factor, one.stroke_width_factor)
        == (other.scale_factor, other.stroke_width_factor)
        and len(one.ink.strokes) == len(other.ink.strokes)
        and all(map(np.array_equal, one.ink.strokes, other.ink.strokes))
    )


def test_augmentation_same_seed_epoch_and_key_repeats():
    for epoch in range(20):
        for sample in SAMPLES:
            assert same(ALL(sample, epoch), ALL(sample, epoch))


def test_augmentation_other_seed_epoch_or_key_differs():
    sample = SAMPLES[2]
    other = TrainingAugmentation(1, Augmentation())
    plain = TrainingAugmentation(0, Augmentation())
    renamed = row("a+b-c+d", key="other")
    assert not same(plain(sample, 0), plain(sample, 1))
    assert not same(plain(sample, 0), other(sample, 0))
    assert not same(plain(sample, 0), plain(renamed, 0))


def test_augmentation_label_agrees_with_ink():
    changed = cropped = 0
    for epoch in range(60):
        for sample in SAMPLES:
            one = ALL(sample, epoch)
            assert aligned_structure(one.ink, one.tokens) is not None
            for symbol in one.ink.symbols:
                assert one.tokens[symbol.position] == symbol.token
            changed += one.tokens != sample.tokens
            cropped += one.is_cropped
            assert one.is_cropped == (len(one.tokens) < len(sample.tokens))
    assert changed > 60
    assert cropped > 40


def test_augmentation_fractions_are_of_samples():
    half = TrainingAugmentation(0, None, BANK, swap_fraction=0.5, swap_probability=1.0)
    varied = sum(half(SAMPLES[2], epoch).ink is not SAMPLES[2].ink for epoch in range(400))
    assert varied == pytest.approx(200, abs=40)  # two standard deviations are 20


def test_augmentation_without_settings_changes_nothing():
    none = TrainingAugmentation()
    assert not none.is_active
    one = none(SAMPLES[0], 5)
    assert one.ink is SAMPLES[0].ink
    assert one.tokens == SAMPLES[0].tokens
    assert (one.scale_factor, one.stroke_width_factor, one.is_cropped) == (1.0, 1.0, False)


@pytest.mark.parametrize(
    "settings",
    [
        {"augmentation": Augmentation()},
        {"bank": BANK, "swap_fraction": 0.1},
        {"subformula_crop_prob": 0.1},
    ],
)
def test_augmentation_with_any_setting_is_active(settings):
    assert TrainingAugmentation(**settings).is_active
