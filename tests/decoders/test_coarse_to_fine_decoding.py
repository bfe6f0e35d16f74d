"""The paper's decoder with its coarse-to-fine attentions: stepping, searching, masks, learning."""

import pytest
import torch
from torch import nn

from im2tex.attention import sparse
from im2tex.decoders import DECODERS, SearchOptions, Targets
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, PAD

V, D = 11, 6
KINDS = ["coarse_only", "hierarchical", "sparsemax", "hard"]
TOKENS = torch.tensor([[5, 7, 4, EOS], [6, EOS, PAD, PAD], [4, 4, EOS, PAD]])


@pytest.fixture(autouse=True)
def _gather(monkeypatch):
    """Grids so small would be read as a whole by sparsemax."""
    monkeypatch.setattr(sparse, "GATHER_COST", 0)


def model(kind, attention_args=None, dtype=torch.float64, **arguments):
    """An encoder of stride 2 x 2 with blocks of 2, and a decoder."""
    torch.manual_seed(0)
    encoder = RowCNN(
        [D], ["2x2"], [True], row_hidden_size=D, num_row_embeddings=2, coarse=True, block=2
    )
    decoder = DECODERS.build(
        "lstm",
        {"hidden_size": 5, "embedding_dim": 4} | arguments,
        vocabulary_size=V,
        attention=kind,
        attention_args=attention_args or {},
        grid_width=encoder.width,
        coarse_width=encoder.coarse_width,
    )
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        nn.init.uniform_(parameter, -0.9, 0.9)
    return encoder.to(dtype).eval(), decoder.to(dtype).eval()


def pictures(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    images = [
        torch.rand(size, generator=generator, dtype=torch.float64).to(dtype)
        for size in [(6, 10), (2, 4), (8, 6)]
    ]
    batch = torch.full((3, 1, 8, 12), 0.5, dtype=dtype)
    mask = torch.zeros(3, 8, 12, dtype=torch.bool)
    for row, image in enumerate(images):
        batch[row, 0, : image.shape[0], : image.shape[1]] = image
        mask[row, : image.shape[0], : image.shape[1]] = True
    return images, batch, mask


@pytest.mark.parametrize("kind", KINDS)
def test_teacher_forcing_is_stepping_through_the_gold_tokens(kind):
    encoder, decoder = model(kind)
    _, batch, mask = pictures()
    grid = encoder(batch, mask)
    logits, weights = decoder.teacher_forcing(grid, TOKENS)  # learning, so that no cell is gathered
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 4).double())
    with torch.no_grad():
        state = decoder.start(grid)
        for step in range(4):
            fed = TOKENS[:, step - 1] if step else torch.full((3,), BOS)
            log_p, state = decoder.step(fed.unsqueeze(1), state)
            expected = logits[:, step].log_softmax(1)
            torch.testing.assert_close(log_p.squeeze(1), expected, rtol=0, atol=1e-9)
            attended = state.attention_output
            torch.testing.assert_close(attended.weights[:, 0], weights[:, step], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", KINDS)
def test_coarse_to_fine_prediction_does_not_depend_on_batch(kind, dtype):
    encoder, decoder = model(kind, dtype=dtype)
    images, batch, mask = pictures(dtype)
    options = SearchOptions(beam_size=3, n_best=2, max_length=6)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    with torch.no_grad():
        together = decoder.search(encoder(batch, mask), options)
        for row, image in enumerate(images):
            whole = torch.ones(1, *image.shape, dtype=torch.bool)
            grid = encoder(image[None, None], whole)
            (alone,) = decoder.search(grid, options)
            for one, other in zip(together[row], alone, strict=True):
                assert one.tokens == other.tokens
                assert one.lookups == other.lookups
                assert one.log_probability == pytest.approx(other.log_probability, abs=tolerance)
            tokens = torch.tensor([alone[0].tokens + [EOS] * alone[0].finished])
            _, logs = decoder.loss(grid, Targets(tokens))
            assert logs["nll"].item() == pytest.approx(-alone[0].log_probability, abs=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_look_ups_are_summed_along_a_reading(kind):
    encoder, decoder = model(kind)
    _, batch, mask = pictures()
    grid = encoder(batch, mask)
    found = decoder.search(grid, SearchOptions(beam_size=2, max_length=5))
    # Images of 3 x 5, 1 x 2 and 4 x 3 cells: 2 x 3, 1 x 1 and 2 x 2 blocks.
    for (best, *_), fine, coarse in zip(found, (15, 2, 12), (6, 1, 4), strict=True):
        looked_coarse, looked_fine = best.lookups
        assert looked_coarse == coarse * best.steps
        if kind == "hierarchical":
            assert looked_fine == fine * best.steps
        elif kind == "coarse_only":
            assert looked_fine == 0
        else:
            most = 4 if kind == "hard" else fine
            assert best.steps <= looked_fine <= most * best.steps


@pytest.mark.parametrize("kind", KINDS)
def test_coarse_to_fine_decoder_has_gradients_of_all_parameters(kind):
    arguments = {"samples": 2, "entropy": 0.1} if kind == "hard" else {}
    encoder, decoder = model(kind, arguments, symbol_loss=1.0)
    encoder.train(), decoder.train()
    _, batch, mask = pictures()
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(3, 4, 4)
    loss, logs = decoder.loss(encoder(batch, mask), Targets(TOKENS, boxes))
    loss.backward()
    assert logs["nll"].isfinite()
    for part in (encoder, decoder):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


@pytest.mark.parametrize("kind", ["coarse_only", "hierarchical", "sparsemax"])
def test_guided_attention_teaches_the_choice_of_blocks_also_where_it_is_certain(kind):
    encoder, decoder = model(kind, guided_attention=1.0)
    choice = decoder.attention.project_coarse.weight
    choice.data *= 5  # sparsemax: mostly one block each
    decoder.train()
    _, batch, mask = pictures()
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.5], [4.0, 6.0, 5.0, 7.0]])
    targets = Targets(TOKENS, boxes[:, None].expand(3, 4, 4))
    loss, logs = decoder.loss(encoder(batch, mask), targets)
    loss.backward()
    assert logs["guided_attention"] < 40  # nats; -log of the least number is 87
    assert all(p.grad.isfinite().all() for p in decoder.parameters())
    taught = choice.grad.clone()
    decoder.zero_grad()
    decoder.guided_attention = 0.0
    decoder.loss(encoder(batch, mask), targets)[0].backward()
    assert 0.01 < (taught - choice.grad).norm() < 100


def test_guided_attention_with_hard_attention_raises():
    with pytest.raises(Im2TexError, match="'hard' attends to one block; set it to 0, and guide"):
        model("hard", guided_attention=1.0)


def test_label_smoothing_and_the_loss_by_tokens_hold_for_several_samples():
    encoder, decoder = model("hard", {"samples": 3}, label_smoothing=0.1, reduction="tokens")
    _, batch, mask = pictures()
    with torch.no_grad():
        grid = encoder(batch, mask)
        decoder.train()
        decoder.output.weight.zero_(), decoder.output.bias.zero_()
        loss, logs = decoder.loss(grid, Targets(TOKENS))
    log_v = torch.tensor(float(V)).log().item()  # every token is as likely, on every path
    assert loss.item() == pytest.approx(log_v)
    assert logs["nll"].item() == pytest.approx(9 * log_v)
    assert logs["tokens"].item() == 9


@pytest.mark.parametrize("kind", KINDS)
def test_coarse_to_fine_without_coarse_grid_names_the_setting(kind):
    with pytest.raises(Im2TexError, match=r"add `coarse: true` to model.*, such as row_cnn"):
        DECODERS.build(
            "lstm", {}, vocabulary_size=V, attention=kind, attention_args={}, grid_width=D,
            coarse_width=None,
        )  # fmt: skip
