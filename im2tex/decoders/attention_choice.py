"""Checks that decoder and attention fit, before any data are read."""

from __future__ import annotations

from typing import Any

from im2tex.attention import ATTENTIONS
from im2tex.decoders.base import DECODERS, NO_ATTENTION
from im2tex.errors import Im2TexError

DEFAULT_ATTENTION = "standard"


def choose_attention(decoder: str, attention: str, arguments: dict[str, Any] | None) -> str:
    """The attention of a decoder; `none` for a decoder that takes none.

    The default name without arguments is accepted for a decoder that takes none.

    Args:
        decoder: registered name of the decoder.
        attention: registered name of the attention, or `none`.
        arguments: of the attention.

    Raises:
        Im2TexError: if they do not fit.
    """
    accepted = DECODERS.get(decoder).attentions
    if accepted == ():
        if attention not in (NO_ATTENTION, DEFAULT_ATTENTION) or arguments:
            given = f"'{attention}'" + (f" with {arguments}" if arguments else "")
            raise Im2TexError(
                f"decoder '{decoder}' takes no attention, but model.attention is {given}: leave "
                "model.attention and model.attention_args out."
            )
        return NO_ATTENTION
    if attention == NO_ATTENTION or (accepted is not None and attention not in accepted):
        fit = ATTENTIONS.names() if accepted is None else accepted
        raise Im2TexError(
            f"decoder '{decoder}' takes attention {' or '.join(fit)}, not '{attention}'. Set "
            "model.attention."
        )
    ATTENTIONS.check(attention, arguments)
    return attention
