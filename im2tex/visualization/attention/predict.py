"""Attention maps of a prediction, for the page and the strips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from im2tex.data.dataset import Batch, stack
from im2tex.decoders import SearchOptions
from im2tex.decoders.attention_trace import supports_attention_trace, trace_attention
from im2tex.decoders.ensemble_step import search
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import EOS
from im2tex.model.predictor import Predictor, evaluation_mode
from im2tex.model.recognizer import Recognizer
from im2tex.visualization.attention.record import END, AttentionRecord

_GREEDY = SearchOptions(beam_size=1)


@torch.no_grad()
def predict_with_attention(
    model: Predictor,
    image: NDArray[np.uint8],
    name: str = "",
    gold: Sequence[str] | None = None,
    options: SearchOptions = _GREEDY,
) -> AttentionRecord:
    """Predicts one image, and traces the attention along the prediction.

    The prediction equals that of `Predictor.search`. The maps of an ensemble are averaged
    over its models and scales, on the grid of its first model.

    Args:
        model: a trained recogniser or ensemble.
        image: (H, W) uint8, `image` of what `prepare_image` returns.
        name: title of the image.
        gold: the label, if known.
        options: of the search; greedy if not given.

    Raises:
        Im2TexError: as `require_attention`, or if the decoder's attention cannot be traced.
    """
    require_attention(model)
    with evaluation_mode(model):
        parts = {name: part.to(model.device) for name, part in stack([image]).items()}
        members = model.members(Batch([name], parts["images"], parts["sizes"], [()]))
        best = search(members, options)[0][0]
        ids = best.tokens + [EOS] * best.finished
        trace = trace_attention(members, ids)
    tokens = model.require_vocabulary().tokens
    grid = members[0][1]

    def text(token: int) -> str:
        return END if token == EOS else tokens[token]

    return AttentionRecord(
        name=name,
        image=image,
        tokens=[text(token) for token in ids],
        log_probability=trace.log_probability,
        top_k=[
            [(text(token), p) for token, p in zip(step, np.exp(log_p).tolist(), strict=True)]
            for step, log_p in zip(trace.top_k.tolist(), trace.top_k_log_probability, strict=True)
        ],
        fine=trace.fine,
        stride=grid.stride,
        lookups=trace.lookups,
        coarse=trace.coarse,
        coarse_stride=None if trace.coarse is None or grid.coarse is None else grid.coarse.stride,
        gold=gold,
    )


def require_attention(model: Predictor, name: str = "the model") -> None:
    """Raises an error if a model has no attention over the image.

    Args:
        model: a recogniser or an ensemble.
        name: of the model, for the message.

    Raises:
        Im2TexError: if a decoder does not predict token by token, or gets no image.
    """
    for module in model.modules():
        if not isinstance(module, Recognizer):
            continue
        decoder, reason = module.settings["decoder"], ""
        if not supports_attention_trace(module.require_decoder()):
            reason = f"the decoder '{decoder}', which does not predict token by token"
        elif module.settings["encoder"] == "none":
            reason = "the encoder 'none', which passes no image to its decoder"
        if reason:
            raise Im2TexError(f"{name} has {reason}: there is no attention to show.")
