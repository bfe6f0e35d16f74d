"""Planned sizes agree with the drawn images, without reading a sample."""

import numpy as np
import pytest
from ink_factory import png, row, scribble

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.dataset import FormulaDataset, Request
from im2tex.data.epoch_plan import EpochPlanner, _project
from im2tex.data.geometry import DIRECTIONS, Geometry, box_widths
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.ink.augment import Augmentation

AFFINE = Augmentation(symbol_resize=1.0, symbol_rotation=0.0, symbol_shift=0.0, wobble=0.0)


def inks(count=20):
    rng = np.random.default_rng(0)
    return [Sample(f"s{i}", "x", ("x",), scribble(rng)) for i in range(count)]


def drawn_sizes(dataset, epoch):
    batches = [dataset[Request(epoch, [k])] for k in range(len(dataset))]
    return np.array([batch.sizes[0].tolist() for batch in batches])


def test_project_is_a_close_upper_bound_of_the_extent():
    rng = np.random.default_rng(1)
    units = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)])
    for _ in range(50):
        points = rng.normal(size=(30, 2)) * rng.uniform(0.2, 3, 2)
        widths = np.ptp(points @ units, axis=0)[None]
        vector = rng.normal(size=(1, 2))
        extent = np.ptp(points @ vector[0])
        excess = _project(widths, vector)[0] - extent
        assert -1e-9 <= excess <= 0.1 * np.hypot(*vector[0]) * widths.max()


def test_box_widths_are_those_of_the_corners():
    corners = np.array([(0, 0), (4, 0), (4, 3), (0, 3)])
    widths = box_widths(np.array([4.0]), np.array([3.0]))[0]
    for angle, width in zip(DIRECTIONS, widths, strict=True):
        assert width == pytest.approx(np.ptp(corners @ (np.cos(angle), np.sin(angle))))


@pytest.mark.parametrize("symbol_size", [16.0, 0.0])
def test_planned_size_of_unaugmented_ink_is_exact(symbol_size):
    dataset = FormulaDataset(inks(), Preprocessing(symbol_size=symbol_size))
    planned = dataset.planner.sizes(np.arange(20), 0)
    assert np.array_equal(planned[:, :2], drawn_sizes(dataset, 0))
    assert planned[:, 2].tolist() == [1] * 20


def test_planned_size_under_affine_variation_is_close():
    dataset = FormulaDataset(inks(), Preprocessing(), TrainingAugmentation(0, AFFINE))
    for epoch in range(5):
        planned = dataset.planner.sizes(np.arange(20), epoch)[:, :2]
        excess = planned - drawn_sizes(dataset, epoch)
        assert (excess >= 0).all()
        assert (excess <= 8 + 0.03 * planned).all()  # the stride, and the bound of the extent


def test_planned_size_of_crop_is_that_of_the_subformula():
    samples = [row("x+y=z+1", key=f"s{i}") for i in range(30)]
    augmentation = TrainingAugmentation(0, subformula_crop_prob=1.0)
    dataset = FormulaDataset(samples, Preprocessing(), augmentation)
    planned = dataset.planner.sizes(np.arange(30), 2)
    lengths = [len(dataset[Request(2, [k])].tokens[0]) for k in range(30)]
    assert planned[:, 2].tolist() == lengths
    assert np.array_equal(planned[:, :2], drawn_sizes(dataset, 2))
    assert set(lengths) == {1, 3, 5}  # the last token of a part is never an operator


def test_planned_size_of_image_is_close():
    rng = np.random.default_rng(0)
    pixels = [np.full((h, w), 255, np.uint8) for h, w in rng.integers(30, 90, (10, 2))]
    for image in pixels:
        image[5:-5, 5:-5] = 0
    samples = [Sample(f"s{i}", "x", ("x",), image=png(p)) for i, p in enumerate(pixels)]
    for symbol_size, tolerance in ((0.0, 0), (12.0, 8)):
        dataset = FormulaDataset(samples, Preprocessing(symbol_size=symbol_size))
        planned = dataset.planner.sizes(np.arange(10), 0)[:, :2]
        assert np.abs(planned - drawn_sizes(dataset, 0)).max() <= tolerance


def test_plan_of_a_sample_does_not_depend_on_the_others():
    samples = [row("x+y=z", key=f"s{i}") for i in range(40)]
    augmentation = TrainingAugmentation(0, Augmentation(), subformula_crop_prob=0.5)
    planner = EpochPlanner(Geometry.of(samples), Preprocessing(), augmentation)
    whole = planner.sizes(np.arange(40), 4)
    assert np.array_equal(whole[[30, 2]], planner.sizes(np.array([30, 2]), 4))
    assert not np.array_equal(whole, planner.sizes(np.arange(40), 5))


def test_exceed_limits_ignores_augmentation():
    samples = [row("x" * count, key=str(count)) for count in (1, 2, 30)]
    augmentation = TrainingAugmentation(0, Augmentation(scale=(3.0, 3.0)))
    planner = EpochPlanner(Geometry.of(samples), Preprocessing(max_width=128), augmentation)
    assert planner.exceed_limits().tolist() == [False, False, True]
    assert planner.sizes(np.arange(3), 0)[:, 1].max() <= 128
