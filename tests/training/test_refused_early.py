"""Options that do not go together are refused before data are read, and trying leaves no trace."""

import re

import pytest
import torch
from tiny_run import TINY, config, im2tex

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import Vocabulary
from im2tex.training.module import Im2Tex

WORDS = ["x", "+", "1"]
NAMES = ("encoder", "encoder_args", "decoder_args")
SMALL = {name: TINY["model"][name] for name in NAMES}
COARSE = {"encoder_args": {**SMALL["encoder_args"], "coarse": True}}
HARD = COARSE | {"attention": "hard"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model.attention=hierarchical"], ["needs a coarse grid", "coarse: true"]),
        (
            ["--model.decoder=transformer", "--model.decoder_args.d_model=100"],
            ["num_heads, got 100"],
        ),
        (["--model.clip_norm=-1"], ["model.clip_norm", ">= 0", "-1"]),
        (["--trainer.gradient_clip_val=1"], ["set model.clip_norm"]),
        (["--trainer.max_epochs=-1"], ["schedule 'cosine' needs the length of the run"]),
        (["--model.init_from=nowhere.ckpt"], ["there is no checkpoint nowhere.ckpt"]),
    ],
)
def test_fit_with_bad_flags_prints_one_line_and_makes_no_data(flags, words, tmp_path, capsys):
    assert im2tex("fit", "--config", config(tmp_path, TINY), *flags) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    for word in ["im2tex: error: ", *words]:
        assert word in said[0]
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"encoder": "densenet", "encoder_args": {}, "attention": "hard"}, "needs a coarse grid"),
        (HARD | {"attention_args": {"discount": 2}}, "discount must be in [0, 1], got 2"),
        (HARD | {"attention_args": {"samples": 0}}, "samples must be >= 1, got 0"),
        (HARD | {"attention_args": {"sample": 2}}, "did you mean 'samples'?"),
        (HARD | {"decoder_args": {"guided_attention": 1}}, "attention 'hard' attends to one block"),
        (
            {"attention": "coverage", "attention_args": {"kernel_size": 4}},
            "kernel_size must be odd, got 4",
        ),
        ({"decoder_args": {"dropout": 2.0}}, "dropout must be in [0, 1), got 2.0"),
        ({"decoder_args": {"dropout": float("nan")}}, "dropout must be in [0, 1), got nan"),
        ({"encoder_args": {"dropout": 1}}, "dropout must be in [0, 1), got 1"),
        ({"decoder_args": {"hiden_size": 8}}, "did you mean 'hidden_size'?"),
        ({"decoder": "transformer", "decoder_args": {"num_layers": 1}}, "set coverage: false"),
        ({"decoder": "transformer", "decoder_args": {"dropout": 1.5}}, "dropout must be in"),
        ({"decoder": "ctc", "decoder_args": {"hidden_size": 7}}, "must be even"),
        ({"decoder": "ctc", "decoder_args": {"dropout": -0.1}}, "dropout must be in"),
        ({"init_range": 0}, "model.init_range must be above 0 or null, got 0"),
        ({"min_count": 0}, "model.min_count must be >= 1, got 0"),
        (
            {"clip_norm": float("nan")},
            "model.clip_norm must be >= 0 (0 disables clipping), got nan",
        ),
        ({"clip_norm": None}, "model.clip_norm must be a number, got None"),
        (
            {"vocabulary": ["x", "x"]},
            "model.vocabulary: tokens of a vocabulary must be distinct, got twice: x",
        ),
        (
            {"encoder_args": {"row_hidden_size": -2}},
            "row_hidden_size must be even (two directions) and >= 2",
        ),
        ({"schedule_args": {"warmup_steps": -1}}, "warmup_steps must be >= 0, got -1"),
        ({"schedule_args": {"total_steps": 0}}, "total_steps must be >= 1, got 0"),
        (
            {"schedule": "constant", "schedule_args": {"warmup_steps": -1}},
            "warmup_steps must be >= 0, got -1",
        ),
        ({"schedule": "plateau", "schedule_args": {"patience": -1}}, "patience must be >= 0"),
        ({"num_validation_examples": -1}, "model.num_validation_examples must be >= 0, got -1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_constructor_with_bad_settings_raises(settings, word):
    with pytest.raises(Im2TexError, match=re.escape(word)):
        Im2Tex(**(SMALL | settings))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        HARD,
        {
            "decoder": "transformer",
            "decoder_args": {"d_model": 16, "num_layers": 2, "num_heads": 2},
        },
        {"decoder": "ctc", "decoder_args": {"hidden_size": 8}},
    ],
    ids=["standard", "hard", "transformer", "ctc"],
)
def test_weights_of_seed_equal_those_with_given_vocabulary(settings):
    settings = SMALL | settings
    torch.manual_seed(3)
    tried = Im2Tex(**settings)
    assert tried.recognizer.decoder is None
    assert {name.split(".")[1] for name in tried.state_dict()} == {"encoder"}
    tried.recognizer.set_vocabulary(Vocabulary(WORDS))
    torch.manual_seed(3)
    at_once = Im2Tex(vocabulary=WORDS, **settings)
    expected = at_once.state_dict()
    assert tried.state_dict().keys() == expected.keys()
    for name, value in tried.state_dict().items():
        assert torch.equal(value, expected[name]), name
