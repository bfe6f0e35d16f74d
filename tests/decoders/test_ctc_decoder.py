"""CTC: its likelihood by enumeration, labels that do not fit, masks that are real to the end."""

import itertools
import math

import pytest
import torch
from grids import random_grid
from overfit import train_until
from tiny_run import TINY, changed, config, im2tex
from torch import nn

from im2tex import Im2Tex
from im2tex.data.dataset import Batch, stack
from im2tex.data.source import SOURCES
from im2tex.decoders import DECODERS, SearchOptions, Targets
from im2tex.decoders.ctc import CTCDecoder, steps_needed
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK
from im2tex.model.initialization import initialize, read_initial

V, D = 7, 6
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
KINDS = [{}, {"upsample": 3}, {"pool": "mean", "num_layers": 1}, {"num_layers": 0}]


def decoder(dtype=torch.float64, spread=0.8, **arguments):
    torch.manual_seed(0)
    model = CTCDecoder(V, D, **{"hidden_size": 8, "upsample": 1} | arguments)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -spread, spread)
    return model.to(dtype).eval()


def grid(sizes=((2, 4), (1, 3)), dtype=torch.float64):
    return random_grid(sizes, D, dtype)


def collapsed(path):
    return [token for token, _ in itertools.groupby(path) if token != PAD]


@pytest.mark.parametrize("arguments", KINDS[:1] + KINDS[2:], ids=str)
def test_ctc_likelihood_is_the_sum_over_all_alignments(arguments):
    model, cells = decoder(**arguments), grid()
    labels = [[5, 5], [4]]
    tokens = torch.tensor([[5, 5, EOS], [4, EOS, PAD]])
    log_p, steps = model.log_probabilities(cells)
    assert steps.tolist() == [4, 3]
    nll = 0.0
    for line, count, label in zip(log_p, steps.tolist(), labels, strict=True):
        paths = itertools.product(range(V), repeat=count)
        nll -= math.log(
            sum(
                math.exp(sum(line[t, token].item() for t, token in enumerate(path)))
                for path in paths
                if collapsed(path) == label
            )
        )
    loss, logs = model.loss(cells, Targets(tokens))
    assert logs["nll"].item() == pytest.approx(nll, abs=1e-9)
    assert logs["tokens"].item() == 5  # the ends included
    assert loss.item() == pytest.approx(nll / 2, abs=1e-9)
    by_token, _ = decoder(reduction="tokens", **arguments).loss(cells, Targets(tokens))
    assert by_token.item() == pytest.approx(nll / 5, abs=1e-9)


def test_steps_are_needed_for_tokens_and_between_equal_ones():
    labels = [[4, 5, 6], [4, 4, 4], [], [5, 4, 4, 5], [UNK]]
    tokens = torch.full((5, 5), PAD)
    for row, label in enumerate(labels):
        tokens[row, : len(label) + 1] = torch.tensor([*label, EOS])
    lengths = torch.tensor([len(label) for label in labels])
    assert steps_needed(tokens, lengths).tolist() == [3, 5, 0, 5, 1]


def test_ctc_too_long_label_is_skipped_counted_and_impossible():
    cells = grid()  # 4 and 3 columns
    fits, too_long = [4, 5, EOS, PAD], [5, 5, 6, EOS]  # the other one needs 4 steps
    both = Targets(torch.tensor([fits, too_long]))
    one = Grid(cells.features[:1], cells.mask[:1], (8, 8))
    alone, _ = decoder().train().loss(one, Targets(torch.tensor([fits])))
    for reduction, share in (("images", 1), ("tokens", 3)):
        model = decoder(reduction=reduction).train()
        with pytest.warns(
            UserWarning, match="1 of 2 labels .* up to 4: .*upsample from 1, here to 2"
        ):
            loss, logs = model.loss(cells, both)
        assert loss.item() == pytest.approx(alone.item() / share, abs=1e-9)
        assert logs["skipped"].item() == 1
        assert logs["tokens"].item() == 3
        loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        _, logs = model.eval().loss(cells, both)  # and is not warned of again
        assert math.isinf(logs["nll"].item())
        assert logs["tokens"].item() == 7
    _, logs = decoder(upsample=2).loss(cells, both)
    assert math.isfinite(logs["nll"].item())


def test_ctc_loss_of_labels_that_do_not_fit_has_no_gradient():
    model = decoder().train()
    with pytest.warns(UserWarning, match="2 of 2"):
        loss, logs = model.loss(grid(), Targets(torch.tensor([[4, 4, 4, EOS], [5, 5, 5, EOS]])))
    loss.backward()
    assert loss.item() == 0
    assert logs["skipped"].item() == 2
    assert "nll" not in logs  # of no token: their quotient would be logged as nan
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("arguments", KINDS, ids=str)
def test_ctc_prediction_does_not_depend_on_batch(arguments, dtype):
    torch.manual_seed(0)
    encoder = RowCNN(
        [4, D], ["2x2", "2x2"], [True, True], row_hidden_size=D, num_row_embeddings=2, residual=True
    )
    encoder = encoder.to(dtype).eval()
    model = decoder(dtype, **arguments)
    images = [torch.rand(size, dtype=dtype) for size in [(12, 8), (4, 20), (8, 4), (12, 20)]]
    batch = torch.full((4, 1, 12, 24), 0.5, dtype=dtype)
    for row, image in enumerate(images):
        batch[row, 0, : image.shape[0], : image.shape[1]] = image
    mask = size_mask(torch.tensor([image.shape for image in images]), 12, 24)
    options = SearchOptions(beam_size=4, n_best=2)
    with torch.no_grad():
        together = encoder(batch, mask)
        log_p, steps = model.log_probabilities(together)
        readings = model.search(together, options)
        for row, image in enumerate(images):
            alone = encoder(image[None, None], torch.ones(1, *image.shape, dtype=torch.bool))
            expected, (count,) = model.log_probabilities(alone)
            assert count == steps[row] == image.shape[1] // 4 * model.upsample
            torch.testing.assert_close(
                log_p[row, :count], expected[0], rtol=0, atol=TOLERANCE[dtype]
            )
            (found,) = model.search(alone, options)
            assert [one.tokens for one in found] == [one.tokens for one in readings[row]]
            for one, other in zip(found, readings[row], strict=True):
                assert one.score == pytest.approx(other.score, abs=TOLERANCE[dtype])


def test_ctc_wide_beam_score_equals_likelihood():
    model, cells = decoder(spread=0.4), grid()
    for image, found in enumerate(model.search(cells, SearchOptions(400, n_best=5))):
        alone = Grid(cells.features[image : image + 1], cells.mask[image : image + 1], (8, 8))
        for one in found:
            _, logs = model.loss(alone, Targets(torch.tensor([[*one.tokens, EOS]])))
            assert one.log_probability == pytest.approx(-logs["nll"].item(), abs=1e-9)


def test_special_tokens_are_never_read():
    model = decoder()
    with torch.no_grad():
        model.output.bias[[BOS, EOS, UNK]] = 20.0
    found = model.search(grid(), SearchOptions(8, n_best=8))
    assert {token for image in found for one in image for token in one.tokens} <= {4, 5, 6}


def test_ctc_has_gradients_of_all_parameters_and_rows_by_token():
    model = decoder(upsample=2, dropout=0.2).train()
    loss, _ = model.loss(grid(), Targets(torch.tensor([[4, 5, 6, EOS], [UNK, 6, 5, EOS]])))
    loss.backward()
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert {name for name, parameter in parameters.items() if V in parameter.shape} == set(
        model.vocabulary_parameters
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"upsample": 0}, "upsample must be >= 1, got 0"),
        ({"num_layers": -1}, "num_layers must be >= 0, got -1"),
        ({"hidden_size": 7}, "hidden_size must be even .*, got 7"),
        ({"pool": "min"}, "pool='min'"),
        ({"beam": 3}, "takes no argument 'beam'"),
    ],
)
def test_ctc_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        DECODERS.build("ctc", arguments, vocabulary_size=V, grid_width=D)


def test_ctc_model_has_no_attention():
    model = Im2Tex(vocabulary=["x", "1"], decoder="ctc", decoder_args={"hidden_size": 8})
    assert model.hparams["attention"] == "none"
    with pytest.raises(Im2TexError, match="takes no attention"):
        Im2Tex(decoder="ctc", attention="standard", attention_args={"score": "additive"})


def test_bfloat16_autocast_stays_close_forwards_and_backwards():
    found = []
    tokens = torch.tensor([[4, 5, EOS], [6, EOS, PAD]])
    for amp in (False, True):
        model, cells = decoder(torch.float32, upsample=2), grid(dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            loss, _ = model.loss(cells, Targets(tokens))
            model.search(cells, SearchOptions(2))
        loss.backward()
        assert loss.dtype == torch.float32
        found.append([parameter.grad for parameter in model.parameters()])
    for exact, rough in zip(*found, strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 0.05 * exact.norm()


def test_ctc_overfits_formulas_of_one_line(tmp_path):
    line = {"symbols": "1 2 3 x y + = -", "size_train": 8, "size_validation": 1, "size_test": 1}
    source = SOURCES.build("grammar", line)
    source.ensure(tmp_path)
    samples = list(source.split(tmp_path, "train"))
    torch.manual_seed(0)
    encoder = {
        "channels": [8, 16, 24],
        "pools": ["2x2", "2x2", "2x2"],
        "batch_norm": [True] * 3,
        "row_hidden_size": 24,
        "residual": True,
    }
    model = Im2Tex(
        vocabulary=sorted({token for sample in samples for token in sample.tokens}),
        preprocessing={"symbol_size": 12, "stroke_width": 0.12},
        encoder_args=encoder,
        decoder="ctc",
        decoder_args={"upsample": 1, "hidden_size": 32, "num_layers": 1, "reduction": "tokens"},
    )
    parts = stack([model.preprocessing.rasterize(sample.ink).image for sample in samples])
    labels = [sample.tokens for sample in samples]
    batch = Batch([""] * 8, parts["images"], parts["sizes"], labels)

    def loss():
        value, logs = model.recognizer.require_decoder().loss(
            model.recognizer.encode(batch), model.recognizer.targets(batch)
        )
        assert logs["skipped"] == 0
        return value

    def found():
        hypotheses = model(batch, SearchOptions(beam_size=4))
        return [
            tuple(model.recognizer.require_vocabulary().decode(best[0].tokens))
            for best in hypotheses
        ]

    train_until([model], loss, lambda: found() == labels, rate=0.01)
    assert found() == labels


def test_ctc_fits_tests_and_initialises_another_fit(tmp_path, capsys):
    arguments = {"hidden_size": 8, "num_layers": 1, "upsample": 4}
    settings = changed(TINY, model={"decoder": "ctc", "decoder_args": arguments})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    with (tmp_path / "runs" / "version_0" / "metrics.csv").open() as log:
        assert "train/skipped" in next(log)
    assert im2tex("test", "--ckpt_path", checkpoint, "--report.engine", "none") == 0
    (result,) = tmp_path.glob("runs/**/test.json")
    assert read_result(result)["metrics"]["test"]["perplexity"] > 1
    trained = Im2Tex.load_from_checkpoint(checkpoint)
    assert trained.hparams["attention"] == "none"
    # Another vocabulary: the softmax is taken over token by token, the blank with its own row.
    words = ["zebra", *reversed(trained.recognizer.require_vocabulary().ordinary)]
    chosen = {name: settings["model"][name] for name in ("encoder_args", "decoder_args")}
    other = Im2Tex(vocabulary=words, decoder="ctc", **chosen)
    said = initialize(other.recognizer, read_initial(str(checkpoint)))
    assert "2 token by token" in said
    for token in ("<pad>", trained.recognizer.require_vocabulary().ordinary[0]):
        ours, theirs = (
            m.recognizer.require_vocabulary().tokens.index(token) for m in (other, trained)
        )
        torch.testing.assert_close(
            other.recognizer.require_decoder().output.weight[ours],
            trained.recognizer.require_decoder().output.weight[theirs],
        )
