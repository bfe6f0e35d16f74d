"""Pictures to `Look`s: a model reads, and its attention is traced along what it read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from im2tex.data.dataset import Batch, stack
from im2tex.decoders import SearchOptions
from im2tex.decoders.attention_trace import can_trace, trace
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import EOS
from im2tex.training.module import Im2Tex
from im2tex.visualization.attention_maps import END, Look

_GREEDY = SearchOptions(beam_size=1)


@torch.no_grad()
def look(
    model: Im2Tex,
    image: NDArray[np.uint8],
    name: str = "",
    gold: Sequence[str] | None = None,
    options: SearchOptions = _GREEDY,
) -> Look:
    """Reads one picture, and says where the model looked at each step.

    Args:
        model: trained.
        image: (H, W) as the model sees it: `model.drawn(picture)`, or a batch's without padding.
        name: what to call it.
        gold: the label, where it is known.
        options: how to search for the reading; greedily if not given.

    Raises:
        Im2TexError: as `check_can_look`, or if the decoder's attention cannot be traced.
    """
    check_can_look(model)
    training = model.training
    model.eval()
    try:
        parts = {name: part.to(model.device) for name, part in stack([image]).items()}
        grid = model.encode(Batch([name], parts["images"], parts["sizes"], [()]))
        best = model.ready.search(grid, options)[0][0]
        numbers = best.tokens + [EOS] * best.finished
        found = trace(model.ready, grid, numbers)
    finally:
        model.train(training)
    words = [END if number == EOS else model.words.tokens[number] for number in numbers]
    return Look(
        name=name,
        image=image,
        tokens=words,
        log_probability=found.log_probability,
        likely=[
            [
                (END if number == EOS else model.words.tokens[number], p)
                for number, p in zip(numbers_, np.exp(log_p).tolist(), strict=True)
            ]
            for numbers_, log_p in zip(
                found.likely.tolist(), found.likely_log_probability, strict=True
            )
        ],
        fine=found.fine,
        stride=grid.stride,
        lookups=found.lookups,
        coarse=found.coarse,
        coarse_stride=None if found.coarse is None or grid.coarse is None else grid.coarse.stride,
        gold=gold,
    )


def check_can_look(model: Im2Tex, name: str = "the model") -> None:
    """Refuses a model that has no attention to show.

    Args:
        model: with a vocabulary.
        name: what to call it in the message.

    Raises:
        Im2TexError: if its decoder does not read token by token, or sees no picture.
    """
    why = ""
    if not can_trace(model.ready):
        why = f"the decoder '{model.hparams['decoder']}', which does not read token by token"
    elif model.hparams["encoder"] == "none":
        why = "the encoder 'none', which hides the picture from its decoder"
    if why:
        raise Im2TexError(f"{name} has {why}: there is no attention to show.")
