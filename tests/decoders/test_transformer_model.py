"""A model with the transformer through the command: fit, test, another vocabulary, conflicts."""

import json

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex, steps

from im2tex.latex.vocabulary import EOS
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.initialization import initialize, read_initial
from im2tex.training.module import Im2Tex

DECODER = {
    "d_model": 16,
    "num_layers": 2,
    "num_heads": 2,
    "dim_feedforward": 24,
    "coverage_channels": 4,
    "guided_attention": 1.0,
}
SETTINGS = changed(
    TINY,
    model={"decoder": "transformer", "decoder_args": DECODER, "optimizer_args": {"lr": 0.01}},
    trainer={"max_epochs": 2},
)
SMALL = {
    name: SETTINGS["model"][name] for name in ("encoder", "encoder_args", "decoder", "decoder_args")
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data and a run of two epochs, no word said of attention."""
    folder = tmp_path_factory.mktemp("transformer")
    assert im2tex("fit", "--config", config(folder, SETTINGS)) == 0
    return folder


@pytest.fixture(scope="module")
def checkpoint(folder):
    return folder / "runs/version_0/checkpoints/last.ckpt"


def test_transformer_fit_learns_both_directions_and_validates(folder, checkpoint):
    logged = folder / "runs/version_0"
    both = steps(logged, "train/nll", "train/nll_backwards", "train/guided_attention")
    assert len(both) == 10  # 40 formulas in batches of 8, twice
    # Over the same formulas, of which some are harder than others.
    for direction in (0, 1):
        losses = [both[step][direction] for step in sorted(both)]
        assert sum(losses[5:]) < sum(losses[:5])
    assert len(steps(logged, "val/perplexity", "val/token_exact")) == 2
    assert read_checkpoint(checkpoint)["hyper_parameters"]["attention"] == "none"


def test_transformer_test_reports_lookups(checkpoint, tmp_path, capsys):
    given = ("--ckpt_path", checkpoint, "--trainer.default_root_dir", tmp_path)
    assert im2tex("test", *given, "--trainer.accelerator", "cpu") == 0
    (path,) = tmp_path.glob("**/*.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["config"]["model"]["attention"] == "none"
    assert 0 <= found["metrics"]["test"]["token_exact"] <= 1
    assert "attention: cells scored" in capsys.readouterr().out


def test_transformer_run_configuration_is_in_its_checkpoint(folder, checkpoint, tmp_path):
    saved = folder / "runs/version_0/config.yaml"
    given = ("--config", saved, "--ckpt_path", checkpoint)
    assert im2tex("validate", *given, "--trainer.default_root_dir", tmp_path) == 0


def test_transformer_with_unused_attention_raises(checkpoint, capsys):
    given = ("--ckpt_path", checkpoint, "--trainer.accelerator", "cpu")
    assert im2tex("test", *given, "--model.attention", "hierarchical") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "decoder 'transformer' takes no attention, but model.attention is 'hierarch" in said


def test_transformer_checkpoint_restores_the_model(checkpoint):
    model = Im2Tex.load_from_checkpoint(checkpoint)
    content = read_checkpoint(checkpoint)["state_dict"]
    assert model.state_dict().keys() == content.keys()
    assert all(torch.equal(value, content[name]) for name, value in model.state_dict().items())


def test_another_vocabulary_takes_the_rows_of_its_tokens_and_all_else(tmp_path):
    other, model = (Im2Tex(vocabulary=words, **SMALL) for words in (["x", "+"], ["a", "x", "1"]))
    other.recognizer.decoder.stack.refinement.norm.running_mean.fill_(7.0)
    content = {"state_dict": other.state_dict(), "hyper_parameters": dict(other.hparams)}
    other.on_save_checkpoint(content)
    torch.save(content, tmp_path / "a.ckpt")
    fresh = model.recognizer.decoder.embedding.weight[4].clone()
    said = initialize(model.recognizer, read_initial(str(tmp_path / "a.ckpt")))
    theirs, ours = other.recognizer.decoder, model.recognizer.decoder
    for name in ("embedding.weight", "output.weight", "output.bias"):
        mine, known = ours.get_parameter(name), theirs.get_parameter(name)
        assert torch.equal(mine[5], known[4])  # x
        assert torch.equal(mine[EOS], known[EOS])
    assert torch.equal(ours.embedding.weight[4], fresh)
    assert torch.equal(ours.start_backwards, theirs.start_backwards)
    assert (ours.stack.refinement.norm.running_mean == 7).all()
    assert "new: none" in said
