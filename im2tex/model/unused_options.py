"""Options that would do nothing: said before a fit, which would otherwise be of another model.

A component names those of its arguments that another one switches off (`idle`). And a coarse grid
is made for an attention, or a decoder without one, that takes its width.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from im2tex.attention import ATTENTIONS
from im2tex.decoders import DECODERS
from im2tex.decoders.base import NO_ATTENTION
from im2tex.encoders import ENCODERS
from im2tex.registry import Registry
from im2tex.renames import component_attribute

_PARTS: tuple[tuple[str, Registry[Any]], ...] = (
    ("encoder", ENCODERS),
    ("attention", ATTENTIONS),
    ("decoder", DECODERS),
)


def unused_options(settings: Mapping[str, Any]) -> list[str]:
    """What of a model's settings does nothing.

    Args:
        settings: hyper-parameters of `Im2Tex`, checked; the attention is `none` where the decoder
            takes none.

    Returns:
        A sentence each, with the option, its value and the way out.
    """
    found = [*_unread_grid(settings)]
    for part, registry in _PARTS:
        if part != "attention" or settings[part] != NO_ATTENTION:
            found += _switched_off(part, registry, settings)
    return found


def _switched_off(part: str, registry: Registry[Any], settings: Mapping[str, Any]) -> Iterator[str]:
    """Arguments of a component, other than their defaults, that another one switches off."""
    name = settings[part]
    used = registry.complete(name, settings[f"{part}_args"])
    parameters = registry.parameters(name)
    for option, (switch, off) in component_attribute(
        registry.get(name), "inactive_when", "idle"
    ).items():
        if option not in used or switch not in used:  # of a base, left out by this one
            continue
        if used[option] != parameters[option].default and used[switch] == off:
            other = isinstance(off, bool)
            way = f"set {switch} to {_yaml(not off)}" if other else f"choose another {switch}"
            value = _yaml(used[option])
            yield (
                f"model.{part}_args.{option} is {value}, which does nothing where {switch} "
                f"is {_yaml(off)}: leave {option} out, or {way}."
            )


def _unread_grid(settings: Mapping[str, Any]) -> Iterator[str]:
    """The option `coarse`, where nothing looks at a coarse grid."""
    encoder, attention, decoder = (settings[part] for part, _ in _PARTS)
    if not ENCODERS.check(encoder, settings["encoder_args"]).get("coarse"):
        return
    alone = attention == NO_ATTENTION
    reader: type = DECODERS.get(decoder) if alone else ATTENTIONS.get(attention)
    if "coarse_width" in inspect.signature(reader).parameters:
        return
    who = f"decoder '{decoder}'" if alone else f"attention '{attention}'"
    yield (
        f"model.encoder_args.coarse is true, but {who} never looks at a coarse grid: set coarse to "
        "false, or take decoder lstm with attention hierarchical, hard, sparsemax or coarse_only."
    )


def _yaml(value: Any) -> str:
    """A value as it stands in a configuration."""
    return str(value).lower() if isinstance(value, bool) else str(value)
