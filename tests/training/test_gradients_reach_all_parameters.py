"""Every weight of a model has a gradient at every step: training on several devices waits for it.

What has none in one process is what PyTorch's DistributedDataParallel calls a parameter that was
not used in producing the loss, and ends the run for.
"""

import pytest
import torch
from tiny_run import TINY

from im2tex.data.dataset import Batch, stack
from im2tex.training.module import Im2Tex

WORDS = ["x", "+", "1"]
ROWS = TINY["model"]["encoder_args"]
COARSE = {"encoder_args": {**ROWS, "coarse": True, "block": 2}}
LSTM = {"hidden_size": 16, "embedding_dim": 8}
TRANSFORMER = {"d_model": 8, "num_layers": 2, "num_heads": 2, "dim_feedforward": 16}
MODELS = {
    "standard": {},
    "additive": {"attention_args": {"score": "additive"}},
    "taught by boxes": {"decoder_args": {**LSTM, "guided_attention": 1.0, "symbol_loss": 1.0}},
    "coverage": {"attention": "coverage", "attention_args": {"kernel_size": 3, "channels": 4}},
    "hierarchical": COARSE | {"attention": "hierarchical"},
    "sparsemax": COARSE | {"attention": "sparsemax"},
    "hard": COARSE | {"attention": "hard", "attention_args": {"samples": 2, "entropy": 0.1}},
    "hard, without a reward": COARSE
    | {"attention": "hard", "attention_args": {"reward_scale": 0.0, "discount": 1.0}},
    "one weight for both levels": COARSE
    | {"attention": "hierarchical", "attention_args": {"share_projection": True}},
    "transformer": {"decoder": "transformer", "decoder_args": TRANSFORMER},
    "transformer, plain": {
        "decoder": "transformer",
        "decoder_args": {**TRANSFORMER, "coverage": False, "directions": "left_to_right"},
    },
    "transformer, taught by boxes": {
        "decoder": "transformer",
        "decoder_args": {**TRANSFORMER, "guided_attention": 1.0, "symbol_loss": 1.0},
    },
    "ctc": {"decoder": "ctc", "decoder_args": {"hidden_size": 8, "num_layers": 2}},
    "cnn": {
        "encoder": "cnn",
        "encoder_args": {name: ROWS[name] for name in ("channels", "pools", "batch_norm")},
    },
    "densenet": {
        "encoder": "densenet",
        "encoder_args": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    },
    "timm": {"encoder": "timm", "encoder_args": {"model": "test_resnet", "stride": 4}},
    "none": {"encoder": "none", "encoder_args": {}},
}


def batch(*labels):
    """Pictures of one size after the other; nothing is known of where symbols lie."""
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (16, 16 * (1 + k)), generator=generator).to(torch.uint8).numpy()
        for k in range(len(labels))
    ]
    boxes = torch.tensor([0.0, 0.0, -1.0, -1.0]).repeat(len(labels), 1 + max(map(len, labels)), 1)
    keys = [str(k) for k in range(len(labels))]
    return Batch(keys=keys, tokens=list(labels), boxes=boxes, failed={}, **stack(images))


def without_gradient(settings, *labels):
    """Names of the weights that a step of training leaves out."""
    torch.manual_seed(0)
    settings = {"encoder_args": ROWS, "decoder_args": LSTM} | settings
    if settings.get("decoder", "lstm") == "lstm":
        settings["decoder_args"] = LSTM | settings["decoder_args"]
    model = Im2Tex(vocabulary=WORDS, **settings).train()
    shown = batch(*labels)
    loss, _ = model.recognizer.require_decoder().loss(
        model.recognizer.encode(shown), model.recognizer.targets(shown)
    )
    loss.backward()
    learning = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    return {name for name, one in learning if one.grad is None}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_all_parameters(name):
    assert not without_gradient(MODELS[name], ["x", "+", "1"], ["x"])


@pytest.mark.parametrize("name", ["coverage", "hard", "transformer", "ctc"])
def test_gradients_single_token_batch_reach_all_parameters(name):
    assert not without_gradient(MODELS[name], ["x"])


def test_gradients_ctc_without_fitting_label_reach_all_parameters():
    assert not without_gradient(MODELS["ctc"], ["x"] * 30)


def test_gradients_coarse_only_skip_fine_rows():
    left = without_gradient(COARSE | {"attention": "coarse_only"}, ["x", "+"], ["1"])
    assert left
    assert all(name.startswith("recognizer.encoder.row_encoder.") for name in left)
