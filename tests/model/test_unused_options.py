"""Options that would do nothing are refused; those that came with weights are a fit's warning."""

import re
import warnings

import pytest
from tiny_run import TINY, changed, config, im2tex

from im2tex.errors import Im2TexError
from im2tex.training.module import Im2Tex

WORDS = ["x", "+", "1"]
SMALL = TINY["model"]["encoder_args"]
COARSE = {"encoder_args": {**SMALL, "coarse": True}}
TRANSFORMER = {"d_model": 8, "num_layers": 2, "num_heads": 2}

IDLE = [
    (COARSE, "model.encoder_args.coarse is true, but attention 'standard' does not attend"),
    (COARSE | {"attention": "coverage"}, "but attention 'coverage' does not attend"),
    (COARSE | {"decoder": "ctc"}, "but decoder 'ctc' does not attend to a coarse grid"),
    (COARSE | {"decoder": "transformer"}, "but decoder 'transformer' does not attend"),
    ({"encoder_args": {**SMALL, "block": 8}}, "encoder_args.block is 8, which has no effect where"),
    (
        {"attention_args": {"attention_dim": 7}},
        "attention_dim is 7, which has no effect where score is bilinear",
    ),
    (
        {"decoder": "transformer", "decoder_args": {"coverage": False, "coverage_channels": 8}},
        "coverage_channels is 8, which has no effect where coverage is false",
    ),
    (
        {"decoder": "transformer", "decoder_args": {"coverage": False, "coverage_kernel_size": 3}},
        "leave coverage_kernel_size out, or set coverage to true",
    ),
    ({"decoder": "ctc", "decoder_args": {"num_layers": 0, "hidden_size": 8}}, "hidden_size is 8"),
    (
        {"encoder": "densenet", "encoder_args": {"num_blocks": 1, "reduction": 0.25}},
        "reduction is 0.25, which has no effect where num_blocks is 1",
    ),
]


@pytest.mark.parametrize(("settings", "words"), IDLE)
def test_unused_option_of_a_new_model_raises(settings, words):
    with pytest.raises(Im2TexError, match=re.escape(words)):
        Im2Tex(**({"encoder_args": SMALL} | settings))


@pytest.mark.parametrize(
    "settings",
    [
        COARSE | {"vocabulary": WORDS},  # as a checkpoint's that was made with them
        COARSE | {"init_from": "hierarchical.ckpt"},
        *(COARSE | {"attention": one} for one in ("coarse_only", "hierarchical", "hard")),
        {"encoder_args": {**SMALL, "coarse": True, "block": 2}, "attention": "sparsemax"},
        {"encoder_args": {**SMALL, "coarse": False, "block": 4}},  # the default, written out
        {
            "encoder_args": {**SMALL, "row_hidden_size": 0, "residual": True}
        },  # an ablation's one change
        {"attention_args": {"score": "additive", "attention_dim": 7}},
        {"attention": "coverage", "attention_args": {"attention_dim": 7}},
        {"decoder": "transformer", "decoder_args": {**TRANSFORMER, "coverage_channels": 8}},
    ],
)
def test_used_options_raise_nothing(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Im2Tex(**({"encoder_args": SMALL} | settings))


def test_unused_option_is_refused_before_data_are_read(tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--model.encoder_args.coarse=true") == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "set coarse to false, or take decoder lstm with attention hierarchical" in said[0]
    assert not (tmp_path / "data").exists()


def test_unused_option_in_a_checkpoint_is_accepted(tmp_path, monkeypatch):
    path = config(tmp_path, changed(TINY, model=COARSE, trainer={"limit_train_batches": 1}))
    with monkeypatch.context() as before:
        before.setattr("im2tex.training.module.unused_options", lambda _: [])
        assert im2tex("fit", "--config", path) == 0
    last = next(tmp_path.rglob("last.ckpt"))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "model.encoder_args")
        assert im2tex("test", "--ckpt_path", last) == 0
    with pytest.warns(UserWarning, match="does not attend to a coarse grid"):
        assert im2tex("fit", "--ckpt_path", last, "--trainer.max_epochs=2") == 0
    with pytest.warns(UserWarning, match="does not attend to a coarse grid"):
        assert im2tex("fit", "--config", path, "--model.init_from", last) == 0


def test_coarse_option_of_an_encoder_without_it_names_one_that_has_it():
    with pytest.raises(
        Im2TexError, match=r"takes no argument 'coarse'.*an argument of encoder 'row_cnn'"
    ):
        Im2Tex(encoder="cnn", encoder_args={"coarse": True}, attention="hard")
