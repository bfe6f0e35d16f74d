"""A batch in another size: what is image stays apart from padding, whatever else is in it."""

import numpy as np
import pytest
import torch

from im2tex.data.dataset import Batch, stack
from im2tex.model.test_time_scales import rescale_batch

STRIDE = (8, 16)


def batch(*sizes):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    return Batch([str(k) for k in range(len(sizes))], tokens=[("x",)] * len(sizes), **stack(images))


def test_rescale_batch_by_1_returns_the_batch():
    one = batch((16, 32))
    assert rescale_batch(one, 1, STRIDE) is one


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 1.3, 3.0])
def test_rescale_batch_equals_rescaling_each_image(factor):
    shapes = [(24, 64), (40, 32), (8, 16)]
    many = rescale_batch(batch(*shapes), factor, STRIDE)
    assert many.images.dtype == torch.uint8
    assert (many.sizes % torch.tensor(STRIDE) == 0).all()
    assert tuple(many.images.shape[2:]) == tuple(many.sizes.amax(0).tolist())
    for row, (height, width) in enumerate(shapes):
        full = batch(*shapes)
        single = rescale_batch(
            Batch(["0"], full.images[row : row + 1], full.sizes[row : row + 1], [("x",)]),
            factor,
            STRIDE,
        )
        high, wide = single.sizes[0].tolist()
        assert many.sizes[row].tolist() == [high, wide]
        assert 0 <= high - factor * height < STRIDE[0]
        assert 0 <= wide - factor * width < STRIDE[1]
        assert torch.equal(many.images[row, :, :high, :wide], single.images[0, :, :high, :wide])


def test_ink_keeps_its_darkness_and_its_place():
    image = np.zeros((64, 64), np.uint8)
    image[16:48, 16:32] = 255
    one = Batch(["a"], tokens=[()], **stack([image]))
    for factor in (0.5, 2.0):
        seen = rescale_batch(one, factor, (8, 8)).images[0, 0].double() / 255
        assert seen.sum() == pytest.approx(32 * 16 * factor**2, rel=0.02)
        rows = (seen.sum(1) * torch.arange(len(seen))).sum() / seen.sum()
        assert rows + 0.5 == pytest.approx(32 * factor, abs=0.5)
        assert seen.max() == 1


def test_boxes_of_another_size_do_not_come_along():
    one = batch((16, 32))
    one.boxes = torch.zeros(1, 2, 4)
    assert rescale_batch(one, 2.0, STRIDE).boxes is None
