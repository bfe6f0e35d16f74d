"""What happens to a sample in an epoch depends on seed, epoch and index alone."""

import numpy as np
import pytest
from ink_factory import row

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.geometry import Geometry
from im2tex.ink.augment import Augmentation
from im2tex.ink.recombination.label_structure import aligned_structure
from im2tex.ink.recombination.recombine import SwapBank
from im2tex.utils.philox import sample_generators

SAMPLES = [row(label, key=f"s{i}") for i, label in enumerate(("x+1", "2-y=z", "a+b-c+d", "1=1"))]
GEOMETRY = Geometry.of(SAMPLES)
BANK = SwapBank.from_samples(SAMPLES)
ALL = TrainingAugmentation(
    0, Augmentation(), BANK, swap_fraction=0.5, swap_probability=0.9, subformula_crop_prob=0.5
)


def augmented(augment, index, epoch):
    """Ink and label of a sample in an epoch."""
    plan = augment.plan(GEOMETRY, np.array([index]), epoch)
    (rng,) = sample_generators(augment.seed, epoch, [index])
    sample = SAMPLES[index]
    return augment(sample.ink, sample.tokens, plan, 0, GEOMETRY, rng)


def same(one, other):
    return (
        one[1] == other[1]
        and len(one[0].strokes) == len(other[0].strokes)
        and all(map(np.array_equal, one[0].strokes, other[0].strokes))
    )


def test_augmentation_same_seed_epoch_and_index_repeats():
    for epoch in range(20):
        for index in range(len(SAMPLES)):
            assert same(augmented(ALL, index, epoch), augmented(ALL, index, epoch))


def test_augmentation_other_seed_epoch_or_index_differs():
    other, plain = TrainingAugmentation(1, Augmentation()), TrainingAugmentation(0, Augmentation())
    assert not same(augmented(plain, 2, 0), augmented(plain, 2, 1))
    assert not same(augmented(plain, 2, 0), augmented(other, 2, 0))
    scales = plain.plan(GEOMETRY, np.arange(4), 0).variation.scale
    assert len(set(scales.tolist())) == 4


def test_augmentation_label_agrees_with_ink():
    changed = cropped = 0
    for epoch in range(60):
        for index, sample in enumerate(SAMPLES):
            ink, tokens = augmented(ALL, index, epoch)
            assert aligned_structure(ink, tokens) is not None
            for symbol in ink.symbols:
                assert tokens[symbol.position] == symbol.token
            changed += tokens != sample.tokens
            is_cropped = len(tokens) < len(sample.tokens)
            assert is_cropped == (ALL.plan(GEOMETRY, np.array([index]), epoch).crop[0] >= 0)
            cropped += is_cropped
    assert changed > 60
    assert cropped > 40


def test_augmentation_crop_candidates_are_those_of_the_sample():
    crops = TrainingAugmentation(0, subformula_crop_prob=1.0)
    for epoch in range(50):
        chosen = crops.plan(GEOMETRY, np.arange(4), epoch).crop
        is_cropped = chosen >= 0
        assert is_cropped.any()
        assert (chosen >= GEOMETRY.crop_offsets[:-1])[is_cropped].all()
        assert (chosen < GEOMETRY.crop_offsets[1:]).all()


def test_augmentation_fractions_are_of_samples():
    half = TrainingAugmentation(0, None, BANK, swap_fraction=0.5, swap_probability=1.0)
    swapped = [half.plan(GEOMETRY, np.array([2]), epoch).swap[0] for epoch in range(400)]
    assert sum(swapped) == pytest.approx(200, abs=40)  # two standard deviations are 20
    changed = [augmented(half, 2, epoch)[0] is not SAMPLES[2].ink for epoch in range(50)]
    assert changed == swapped[:50]


def test_augmentation_without_settings_changes_nothing():
    none = TrainingAugmentation()
    assert not none.is_active
    ink, tokens = augmented(none, 0, 5)
    assert ink is SAMPLES[0].ink
    assert tokens == SAMPLES[0].tokens
    variation = none.plan(GEOMETRY, np.array([0]), 5).variation
    assert (variation.scale[0], variation.stroke_width[0]) == (1.0, 1.0)


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
