"""From one attention's weights to another's: standard, hierarchical, then the sparse ones."""

import pytest
import torch
from tiny_run import TINY

from im2tex.model.initialization import initialize, read_initial
from im2tex.training.module import Im2Tex

TOKENS = ["x", "+", "1"]


def model(attention, **arguments):
    settings = TINY["model"]
    coarse = {} if attention == "standard" else {"coarse": True, "block": 2}
    return Im2Tex(
        vocabulary=TOKENS,
        encoder=settings["encoder"],
        encoder_args=settings["encoder_args"] | coarse,
        attention=attention,
        attention_args=arguments,
        decoder=settings["decoder"],
        decoder_args=settings["decoder_args"],
    )


def saved(path, attention, **arguments):
    torch.manual_seed(1)
    other = model(attention, **arguments)
    content = {"state_dict": other.state_dict(), "hyper_parameters": dict(other.hparams)}
    other.on_save_checkpoint(content)
    torch.save(content, path)
    return other


def news(said):
    """Names of the weights that were new."""
    line = next(line for line in said.splitlines() if line.startswith("  new: "))
    return set(line.removeprefix("  new: ").split(", "))


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize(("attention", "new"), [("sparsemax", "none"), ("hard", None)])
def test_init_from_hierarchical_attention_keeps_all_weights_of_sparse_models(
    tmp_path, attention, new, share
):
    other = saved(tmp_path / "a.ckpt", "hierarchical", share_projection=share)
    started = model(attention, share_projection=share)
    said = initialize(started.recognizer, read_initial(str(tmp_path / "a.ckpt")))
    assert news(said) == {new or "decoder.reinforce.baseline"}
    assert "  unused: none" in said
    weights = dict(started.named_parameters())
    assert set(weights) == {name for name, _ in other.named_parameters()}
    for name, weight in other.named_parameters():
        assert torch.equal(weights[name], weight), name


def test_init_from_standard_attention_initialises_the_coarse_parts_anew(tmp_path):
    other = saved(tmp_path / "a.ckpt", "standard")
    started = model("hierarchical")
    said = initialize(started.recognizer, read_initial(str(tmp_path / "a.ckpt")))
    new = news(said)
    assert "decoder.attention.project_coarse.weight" in new
    assert new - {"decoder.attention.project_coarse.weight"} == {
        name
        for name in [
            *dict(started.recognizer.named_parameters()),
            *dict(started.recognizer.named_buffers()),
        ]
        if name.startswith("encoder.coarse.")
    }
    assert "  unused: none" in said
    fine = started.recognizer.require_decoder().attention.project.weight
    assert torch.equal(fine, other.recognizer.require_decoder().attention.project.weight)
