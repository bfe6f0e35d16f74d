"""Coarse-to-fine attention: against the paper's sums, cell by cell, and against each other."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from im2tex.attention import ATTENTIONS, coarse_to_fine, hard, sparse
from im2tex.attention.flat_grid import FlatGrid
from im2tex.attention.sparsemax import sparsemax
from im2tex.attention.standard import StandardAttention
from im2tex.decoders.alignment_losses import guided_attention_loss
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask

Q, D, C, BLOCK = 3, 4, 5, 2
KINDS = ["hierarchical", "sparsemax", "hard"]
SIZES = [[3, 5], [1, 3], [2, 4]]  # ragged edges, and whole blocks


def build(kind, width=D, coarse_width=C, **arguments):
    torch.manual_seed(0)
    attention = ATTENTIONS.build(
        kind, arguments, query_width=Q, width=width, coarse_width=coarse_width
    )
    return attention.double().eval()


def grid(sizes=SIZES, block=BLOCK, coarse_width=C, spread=1.0):
    """Random cells, zero outside of the masks."""
    generator = torch.Generator().manual_seed(1)
    sizes = torch.tensor(sizes)
    height, width = sizes.amax(0).tolist()
    shape = -(-height // block), -(-width // block)
    fine, coarse = size_mask(sizes, height, width), size_mask(-(-sizes // block), *shape)

    def features(mask, width):
        values = torch.randn(*mask.shape, width, generator=generator, dtype=torch.float64)
        return spread * values * mask.unsqueeze(3)

    below = Grid(features(coarse, coarse_width), coarse, (8 * block, 8 * block))
    return Grid(features(fine, D), fine, (8, 8), below)


def queries(images=3, beam=2):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(images, beam, Q, generator=generator, dtype=torch.float64)


@pytest.fixture(params=["gathered", "whole"])
def either(request, monkeypatch):
    """Grids so small are read as a whole by sparsemax, unless taking cells out is free."""
    if request.param == "gathered":
        monkeypatch.setattr(sparse, "GATHER_COST", 0)


def one_image(cells, b, block=BLOCK):
    """Image b alone, without padding."""

    def crop(level):
        h, w = level.mask[b].any(1).sum(), level.mask[b].any(0).sum()
        return replace(
            level, features=level.features[b : b + 1, :h, :w], mask=level.mask[b : b + 1, :h, :w]
        )

    return replace(crop(cells), coarse=crop(cells.coarse))


def paper(kind, attention, query, cells, block=BLOCK):
    """p(z') and p(z) of one query to one image without padding, by the paper's sums."""
    _, h, w = cells.mask.shape
    fine, coarse = cells.features[0], cells.coarse.features[0]
    project_coarse = attention.project_coarse or attention.project
    outer = (coarse @ project_coarse(query)).flatten()  # (h' w')
    if kind == "hierarchical":
        outer = outer.softmax(0)
    elif kind == "sparsemax":
        outer = sparsemax(outer)
    else:
        outer = nn.functional.one_hot(outer.argmax(), len(outer)).double()
    score = fine @ attention.project(query)  # (h, w)
    weights = torch.zeros(h, w, dtype=torch.float64)
    for i in range(h):
        for j in range(w):
            top, left = i // block * block, j // block * block
            inside = score[top : top + block, left : left + block].exp().sum()
            parent = outer[i // block * coarse.shape[1] + j // block]
            weights[i, j] = parent * score[i, j].exp() / inside
    return outer, weights


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kind", KINDS)
def test_coarse_to_fine_mixture_with_masks_is_the_sum_of_the_paper(kind):
    attention, cells, query = build(kind), grid(), queries()
    with torch.no_grad():
        attended = attention(query, attention.prepare(cells), None)
        weights = attended.weights.unflatten(2, cells.mask.shape[1:])
        for b, (h, w) in enumerate(SIZES):
            alone = one_image(cells, b)
            for k in range(2):
                outer, expected = paper(kind, attention, query[b, k], alone)
                torch.testing.assert_close(weights[b, k, :h, :w], expected, rtol=0, atol=1e-12)
                context = (expected.unsqueeze(2) * alone.features[0]).sum((0, 1))
                torch.testing.assert_close(attended.context[b, k], context, rtol=0, atol=1e-12)
                if kind != "hard":
                    found = attended.coarse_weights[b, k][cells.coarse.mask[b].flatten()]
                    torch.testing.assert_close(found, outer, rtol=0, atol=1e-12)
        assert (attended.weights[~cells.mask.flatten(1).unsqueeze(1).expand(3, 2, 15)] == 0).all()
        outside = ~cells.coarse.mask.flatten(1).unsqueeze(1).expand(3, 2, 6)
        assert (attended.coarse_weights[outside] == 0).all()
        torch.testing.assert_close(attended.weights.sum(2), torch.ones(3, 2).double())
        torch.testing.assert_close(attended.coarse_weights.sum(2), torch.ones(3, 2).double())


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("spread", [0.2, 1.0, 3.0])  # from wide supports to narrow ones
@pytest.mark.parametrize("kind", ["sparsemax", "hard"])
def test_gathering_chosen_blocks_equals_reading_all_of_them(kind, spread):
    attention, cells, query = build(kind), grid(spread=spread), queries(beam=4)
    memory = attention.prepare(cells)
    with torch.no_grad():
        few = attention(query, memory, None)
        # All cells, by the sum of `hierarchical`, with this attention's own choice of blocks.
        choice = few.coarse_weights
        if kind == "hard":
            choice = nn.functional.one_hot(choice.argmax(2), choice.shape[2]).double()
        inner = memory.blocks.softmax(memory.fine.scores(attention.project(query)))
        weights = memory.blocks.from_blocks(choice.unsqueeze(3) * inner)
        context = weights @ memory.fine.features
        selected = attention(query[[2, 0]], attention.select(memory, torch.tensor([2, 0])), None)
    torch.testing.assert_close(few.weights, weights, rtol=0, atol=1e-12)
    torch.testing.assert_close(few.context, context, rtol=0, atol=1e-12)
    torch.testing.assert_close(selected.context, context[[2, 0]], rtol=0, atol=1e-12)
    torch.testing.assert_close(selected.weights, weights[[2, 0]], rtol=0, atol=1e-12)
    torch.testing.assert_close(selected.fine_lookups, few.fine_lookups[[2, 0]])
    with torch.enable_grad():
        learning = attention(query, memory, None)
    torch.testing.assert_close(learning.context, context, rtol=0, atol=1e-12)
    torch.testing.assert_close(learning.fine_lookups, few.fine_lookups)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kind", [*KINDS, "coarse_only"])
def test_coarse_to_fine_image_does_not_depend_on_its_batch(kind):
    attention = build(kind, coarse_width=D)
    cells, query = grid(coarse_width=D), queries()
    with torch.no_grad():
        together = attention(query, attention.prepare(cells), None)
        for b in range(3):
            cut = one_image(cells, b)
            alone = attention(query[b : b + 1], attention.prepare(cut), None)
            torch.testing.assert_close(together.context[b], alone.context[0], rtol=0, atol=1e-9)
            inside = cells.mask[b].flatten()
            torch.testing.assert_close(
                together.weights[b][:, inside], alone.weights[0], rtol=0, atol=1e-9
            )
            assert torch.equal(together.fine_lookups[b], alone.fine_lookups[0])
            assert torch.equal(together.coarse_lookups[b], alone.coarse_lookups[0])


@pytest.mark.usefixtures("either")
def test_lookups_of_a_step_are_counted_as_in_table_4():
    cells, query = grid(), queries()
    found = {}
    with torch.no_grad():
        for kind in KINDS:
            attention = build(kind)
            found[kind] = attention(query, attention.prepare(cells), None)
    for attended in found.values():
        assert attended.coarse_lookups.tolist() == [[6, 6], [2, 2], [2, 2]]
    assert found["hierarchical"].fine_lookups.tolist() == [[15, 15], [3, 3], [8, 8]]
    sizes = [[4, 4, 2, 2, 2, 1], [2, 1, 0, 0, 0, 0], [4, 4, 0, 0, 0, 0]]  # true cells of a block
    for b in range(3):
        for k in range(2):
            best = found["hard"].coarse_weights[b, k].argmax()
            assert found["hard"].fine_lookups[b, k] == sizes[b][best]
            support = found["sparsemax"].coarse_weights[b, k] > 0
            expected = sum(size for size, true in zip(sizes[b], support, strict=True) if true)
            assert found["sparsemax"].fine_lookups[b, k] == expected


def test_hierarchical_attention_looks_at_cells_whose_block_is_as_good_as_impossible():
    attention, cells = build("hierarchical"), grid(spread=500.0)
    attended = attention(queries(), attention.prepare(cells), None)
    assert (attended.coarse_weights[0] == 0).any()  # p(z') below the least number there is
    assert attended.fine_lookups.tolist() == [[15, 15], [3, 3], [8, 8]]


def test_hierarchical_attention_with_one_block_is_standard_attention():
    standard = StandardAttention(Q, D).double()
    cells, query = grid(block=7), queries()
    expected = standard(query, standard.prepare(cells), None)
    for kind in KINDS:  # one block alone is all that any of them can choose
        attention = build(kind)
        attention.project.weight.data = standard.project.weight.data
        attended = attention(query, attention.prepare(cells), None)
        torch.testing.assert_close(attended.context, expected.context, rtol=0, atol=1e-12)
        torch.testing.assert_close(attended.weights, expected.weights, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("either")
def test_sparsemax_with_a_support_of_one_is_hard():
    sparse, one = build("sparsemax"), build("hard")
    one.load_state_dict(sparse.state_dict())
    cells, query = grid(spread=9.0), queries()
    for mode in (torch.no_grad, torch.enable_grad):
        with mode():
            found = [a(query, a.prepare(cells), None) for a in (sparse, one)]
        assert ((found[0].coarse_weights > 0).sum(2) == 1).all()
        torch.testing.assert_close(found[0].context, found[1].context, rtol=0, atol=1e-12)
        torch.testing.assert_close(found[0].weights, found[1].weights, rtol=0, atol=1e-12)
        assert torch.equal(found[0].fine_lookups, found[1].fine_lookups)


@pytest.mark.parametrize("kind", [*KINDS, "coarse_only"])
def test_gradients_of_two_steps_agree_with_finite_differences(kind):
    attention, cells = build(kind, coarse_width=D), grid(SIZES[:2], coarse_width=D)
    query = queries(2)
    steer = torch.randn(D, Q, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def steps(query, fine, coarse):
        below = replace(cells.coarse, features=coarse)
        memory = attention.prepare(replace(cells, features=fine, coarse=below))
        first = attention(query, memory, None)
        second = attention(query + 0.3 * first.context @ steer, memory, None)
        return first.context, second.context, second.weights

    inputs = query, cells.features, cells.coarse.features
    given = [one.clone().requires_grad_() for one in inputs]
    if kind == "hard":  # whose choice has no gradient
        given[2].requires_grad_(False)
    if kind == "coarse_only":  # which never looks at the fine cells
        given[1].requires_grad_(False)
    assert torch.autograd.gradcheck(steps, given)


@pytest.mark.parametrize("kind", [*KINDS, "coarse_only"])
def test_bfloat16_autocast_chooses_in_float32(kind):
    attention = build(kind, coarse_width=D).float()
    cells, query = grid(coarse_width=D), queries().float()
    below = replace(cells.coarse, features=cells.coarse.features.float())
    cells = replace(cells, features=cells.features.float().requires_grad_(), coarse=below)
    with torch.autocast("cpu", torch.bfloat16):
        attended = attention(query, attention.prepare(cells), None)
        with torch.no_grad():
            few = attention(query, attention.prepare(cells), None)
    assert attended.weights.dtype == attended.coarse_weights.dtype == torch.float32
    assert (attended.coarse_weights.sum(2) - 1).abs().max() < 1e-6
    assert (few.context - attended.context).abs().max() < 0.05
    if kind != "coarse_only":
        attended.context.float().sum().backward()
        assert cells.features.grad.isfinite().all()


def test_hard_attention_in_training_samples_with_its_probability():
    attention, cells = build("hard").train(), grid(SIZES[:1])
    query = queries(1, 1).expand(1, 4000, Q)
    torch.manual_seed(0)
    attended = attention(query, attention.prepare(cells), None)
    p = attended.coarse_weights[0, 0]
    blocks = attention.prepare(cells).blocks
    taken = blocks.to_blocks(attended.weights).sum(3).argmax(2)[0]  # (4000,)
    shares = torch.bincount(taken, minlength=6) / 4000
    # Four standard deviations of a share.
    assert ((shares - p).abs() < 4 * (p * (1 - p) / 4000).sqrt() + 1e-3).all()
    torch.testing.assert_close(attended.log_probability[0], p.log()[taken])
    assert attention.eval()(query, attention.prepare(cells), None).log_probability is None


def test_hard_attention_never_samples_a_masked_coarse_cell(monkeypatch):
    given = []
    draw = hard.sample_categorical
    monkeypatch.setattr(hard, "sample_categorical", lambda p: given.append(p) or draw(p))
    attention, cells = build("hard").train(), grid()
    attention(queries(), attention.prepare(cells), None)
    assert (given[0][~cells.coarse.mask.flatten(1).unsqueeze(1).expand(3, 2, 6)] == 0).all()


@pytest.mark.parametrize("kind", [*KINDS, "coarse_only"])
def test_numbers_that_overflowed_are_passed_on_as_in_standard_attention(kind):
    attention, cells = build(kind, coarse_width=D).train(), grid(coarse_width=D)
    attended = attention(queries() * float("nan"), attention.prepare(cells), None)
    assert attended.context.isnan().all()


def test_coarse_only_by_hand():
    attention = ATTENTIONS.build("coarse_only", {}, query_width=1, width=1, coarse_width=1).double()
    attention.project_coarse.weight.data.fill_(1.0)
    ones = torch.ones(1, 1, 3, dtype=torch.bool)
    coarse = Grid(torch.tensor([[[[math.log(3)], [0.0]]]]).double(), ones[:, :, :2], (16, 16))
    cells = Grid(torch.full((1, 1, 3, 1), 9.0).double(), ones, (8, 8), coarse)
    attended = attention(torch.ones(1, 1, 1).double(), attention.prepare(cells), None)
    assert attended.coarse_weights.flatten().tolist() == pytest.approx([0.75, 0.25])
    assert attended.context.item() == pytest.approx(0.75 * math.log(3))
    # Evenly over the two cells of the first block and the one of the second.
    assert attended.weights.flatten().tolist() == pytest.approx([0.375, 0.375, 0.25])
    assert (attended.coarse_lookups.item(), attended.fine_lookups.item()) == (2, 0)


def test_shared_score_weight_is_used_at_both_levels():
    attention = build("hierarchical", coarse_width=D, share_projection=True)
    assert [name for name, _ in attention.named_parameters()] == ["project.weight"]
    cells, query = grid(coarse_width=D), queries()
    own = build("hierarchical", coarse_width=D)
    own.project.weight.data = own.project_coarse.weight.data = attention.project.weight.data
    one, two = (a(query, a.prepare(cells), None).context for a in (attention, own))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (
            "hierarchical",
            {"share_projection": True},
            "as many coarse features as fine ones, got 5 and 4",
        ),
        ("coarse_only", {}, "coarse cells must have as many features as fine ones, got 5 and 4"),
        ("hard", {"samples": 0}, "samples must be >= 1, got 0"),
        ("hard", {"discount": 1.5}, r"discount must be in \[0, 1\], got 1\.5"),
        ("hard", {"baseline_rate": -0.1}, r"baseline_rate must be in \[0, 1\], got -0\.1"),
        ("hard", {"entropy": -1.0}, r"entropy must be >= 0 and finite, got -1\.0"),
        ("hierarchical", {"score": "additive"}, "takes no argument 'score'"),
    ],
)
def test_coarse_to_fine_bad_arguments_raise(kind, arguments, message):
    with pytest.raises(Im2TexError, match=message):
        build(kind, **arguments)


def test_sparsemax_with_wide_supports_reads_the_whole_grid(monkeypatch):
    taken = []
    gather = sparse.gathered_attention
    monkeypatch.setattr(
        sparse, "gathered_attention", lambda *given: taken.append(1) or gather(*given)
    )
    attention, query = build("sparsemax"), queries(1, 1)
    with torch.no_grad():
        for spread in (0.01, 9.0):  # a support of all 24 blocks, and of one or a few
            cells = grid([[8, 12]], spread=spread)
            attention(query, attention.prepare(cells), None)
    assert taken == [1]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("kind", ["sparsemax", "hard"])
def test_many_blocks_are_taken_out_in_pieces(kind, monkeypatch):
    attention, cells, query = build(kind), grid(), queries(beam=5)
    with torch.no_grad():
        whole = attention(query, attention.prepare(cells), None)
        monkeypatch.setattr(coarse_to_fine, "MAX_GATHERED_FEATURES", 2 * 4 * D)  # two blocks
        pieces = attention(query, attention.prepare(cells), None)
    torch.testing.assert_close(pieces.context, whole.context, rtol=0, atol=1e-12)
    torch.testing.assert_close(pieces.weights, whole.weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["sparsemax", "hard"])
def test_gathered_features_are_at_most_as_many_as_standard_scores(kind, monkeypatch):
    taken = []
    rows = FlatGrid.rows
    monkeypatch.setattr(
        FlatGrid, "rows", lambda self, index: taken.append(index) or rows(self, index)
    )
    monkeypatch.setattr(coarse_to_fine, "SMALL_SCORE_COUNT", 0)
    monkeypatch.setattr(sparse, "GATHER_COST", 0)
    attention, cells = build(kind), grid([[4, 10]] * 32, block=4)
    with torch.no_grad():
        attention(queries(32, 1), attention.prepare(cells), None)
    scores, features = 32 * 4 * 10, [index.numel() * D for index in taken]
    assert sum(features) > scores  # more in all
    assert max(features) <= scores


@pytest.mark.parametrize("kind", [*KINDS[:2], "coarse_only"])
def test_guided_attention_teaches_a_block_that_is_not_looked_at(kind):
    """And by no more than 1 for a score, however far from it the attention is."""
    attention = build(kind, width=1, coarse_width=1)
    for parameter in attention.parameters():
        parameter.data = torch.tensor([[1.0, 0.0, 0.0]]).double()
    ones = torch.ones(1, 1, 4, dtype=torch.bool)
    wanted = torch.tensor([[[False, False, True, False]]])  # of the second block
    for gap in (0.5, 1 - 1e-9, 3.0):
        below = torch.tensor([gap, 0.0]).double().reshape(1, 1, 2, 1).requires_grad_()
        coarse = Grid(below, ones[:, :, :2], (16, 16))
        cells = Grid(torch.zeros(1, 1, 4, 1).double(), ones, (8, 8), coarse)
        attended = attention(torch.ones(1, 1, Q).double(), attention.prepare(cells), None)
        guided_attention_loss(attended.supervised_weights, wanted).backward()
        pull = 1 / (1 + math.exp(-gap))  # d/ds of -log softmax
        expected = pytest.approx([pull, -pull])
        assert below.grad.flatten().tolist() == expected


def test_weights_of_few_cells_are_written_out_only_when_asked_for():
    attention, cells = build("hard"), grid()
    with torch.no_grad():
        attended = attention(queries(), attention.prepare(cells), None)
    assert callable(attended._weights)
    assert attended.weights is attended.weights
