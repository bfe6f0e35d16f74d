"""Which fine cells lie in which coarse cell: ragged edges, masks, and the way there and back."""

import torch

from im2tex.attention.coarse_to_fine_index import CoarseToFineIndex
from im2tex.grid import Grid, size_mask


def grid(height, width, block, sizes):
    """Fine cells without features, and coarse ones that cover them."""
    sizes = torch.tensor(sizes)
    shape = -(-height // block), -(-width // block)
    coarse = Grid(
        torch.zeros(len(sizes), *shape, 1),
        size_mask(-(-sizes // block), *shape),
        (8 * block, 8 * block),
    )
    mask = size_mask(sizes, height, width)
    return Grid(torch.zeros(len(sizes), height, width, 1), mask, (8, 8), coarse)


def test_membership_is_that_of_integer_division():
    for height, width, block in [(3, 5, 2), (4, 8, 4), (1, 7, 3), (5, 2, 7)]:
        cells = grid(height, width, block, [[height, width]])
        blocks = CoarseToFineIndex.of(cells)
        across = -(-width // block)
        expected = {
            m: {
                i * width + j
                for i in range(height)
                for j in range(width)
                if (i // block) * across + j // block == m
            }
            for m in range(-(-height // block) * across)
        }
        found = {
            m: set(row[~outside].tolist())
            for m, (row, outside) in enumerate(
                zip(blocks.cells, blocks.padding_mask[0], strict=True)
            )
        }
        assert found == expected
        assert blocks.sizes.tolist() == [[len(expected[m]) for m in sorted(expected)]]


def test_masked_cells_are_in_no_block():
    blocks = CoarseToFineIndex.of(grid(3, 5, 2, [[3, 5], [1, 3]]))
    # 2 x 3 blocks; the second image has cells 0, 1, 2 of the first row.
    assert blocks.sizes.tolist() == [[4, 4, 2, 2, 2, 1], [2, 1, 0, 0, 0, 0]]
    assert (~blocks.padding_mask).sum(2).tolist() == blocks.sizes.tolist()
    chosen = blocks.select(torch.tensor([1]))
    assert chosen.sizes.tolist() == [[2, 1, 0, 0, 0, 0]]
    assert torch.equal(chosen.cells, blocks.cells)


def test_joining_undoes_splitting():
    for height, width, block in [(3, 5, 2), (4, 8, 4), (2, 3, 9)]:
        blocks = CoarseToFineIndex.of(grid(height, width, block, [[height, width]] * 2))
        values = torch.randn(2, 3, height * width)
        split = blocks.to_blocks(values)
        assert split.shape == (2, 3, *blocks.cells.shape)
        assert torch.equal(blocks.from_blocks(split), values)
        inside = ~blocks.padding_mask.unsqueeze(1).expand_as(split)
        assert torch.equal(split[inside], values[:, :, blocks.cells][inside])


def test_block_softmax_sums_to_one_in_each_block():
    blocks = CoarseToFineIndex.of(grid(3, 5, 2, [[3, 5], [1, 3]]))
    inner = blocks.softmax(torch.randn(2, 2, 15, dtype=torch.float64))
    assert inner.isfinite().all()
    some = (blocks.sizes > 0).unsqueeze(1).expand(2, 2, 6)
    torch.testing.assert_close(inner.sum(3)[some], torch.ones(some.sum(), dtype=torch.float64))
    none = blocks.padding_mask.unsqueeze(1) & (blocks.sizes > 0).unsqueeze(2).unsqueeze(1)
    assert (inner[none.expand_as(inner)] == 0).all()
