"""The grid: which cells a symbol's box covers, and the mask of a padded batch."""

import torch

from im2tex.grid import Grid, size_mask

NOWHERE = [0.0, 0.0, -1.0, -1.0]


def grid(mask, stride):
    return Grid(torch.zeros(*mask.shape, 1), mask, stride)


def cells(boxes, mask=None, stride=(8, 4)):
    """The (row, column) of the cells of each box, on a 3 x 5 grid: 24 pixels high, 20 wide."""
    mask = torch.ones(1, 3, 5, dtype=torch.bool) if mask is None else mask
    covered = grid(mask, stride).cells_overlapping(torch.tensor([boxes]))[0]
    return [[(i, j) for i, j in one.nonzero().tolist()] for one in covered]


def test_cells_overlapping_box():
    # Rows of 8 pixels: 0-8, 8-16, 16-24. Columns of 4: 0-4, 4-8, 8-12, 12-16, 16-20.
    inside, across, all_of_it = cells(
        [[5.0, 9.0, 7.0, 15.0], [3.0, 7.0, 9.0, 9.0], [0.0, 0.0, 20.0, 24.0]]
    )
    assert inside == [(1, 1)]
    assert across == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert len(all_of_it) == 15


def test_cells_overlapping_edge_belongs_to_later_cell():
    # Left 4 and top 8 begin column 1 and row 1; right 8 and bottom 16 touch column 2 and row 2.
    assert cells([[4.0, 8.0, 8.0, 16.0]]) == [[(1, 1), (1, 2), (2, 1), (2, 2)]]
    assert cells([[4.0, 8.0, 7.5, 15.5]]) == [[(1, 1)]]


def test_cells_overlapping_dot_and_bar():
    dot, on_a_corner, bar = cells(
        [[5.0, 9.0, 5.0, 9.0], [8.0, 8.0, 8.0, 8.0], [1.0, 12.0, 17.0, 12.0]]
    )
    assert dot == [(1, 1)]
    assert on_a_corner == [(1, 2)]
    assert bar == [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]


def test_cells_overlapping_missing_or_outside_box_is_empty():
    unknown, left_of_it, below_it, sticking_out = cells(
        [
            NOWHERE,
            [-9.0, 0.0, -1.0, 20.0],
            [0.0, 24.0, 20.0, 30.0],
            [-9.0, -9.0, 3.0, 7.0],
        ]
    )
    assert unknown == left_of_it == below_it == []
    assert sticking_out == [(0, 0)]


def test_cells_overlapping_excludes_padding():
    mask = size_mask(torch.tensor([[2, 3]]), 3, 5)
    (covered,) = cells([[0.0, 0.0, 20.0, 24.0]], mask)
    assert covered == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_cells_overlapping_is_per_image_and_token():
    mask = torch.ones(2, 1, 2, dtype=torch.bool)
    first, second = [0.0, 0.0, 1.0, 1.0], [5.0, 0.0, 6.0, 1.0]  # cells of 8 x 4
    boxes = torch.tensor([[first, second, NOWHERE], [second, first, first]])
    expected = [[[1, 0], [0, 1], [0, 0]], [[0, 1], [1, 0], [1, 0]]]
    assert grid(mask, (8, 4)).cells_overlapping(boxes).squeeze(2).int().tolist() == expected


def test_size_mask_is_true_in_image():
    mask = size_mask(torch.tensor([[2, 1], [1, 3]]), 2, 3)
    assert mask.int().tolist() == [[[1, 0, 0], [1, 0, 0]], [[1, 1, 1], [0, 0, 0]]]
