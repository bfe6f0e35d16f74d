"""Detects options that have no effect under the chosen settings, before training starts.

A component lists its arguments that have no effect while another argument has a certain value
(`inactive_when`). A coarse grid has no effect unless the attention, or a decoder without one, takes
its width.
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

_REGISTRIES: Mapping[str, Registry[Any]] = {
    "encoder": ENCODERS,
    "attention": ATTENTIONS,
    "decoder": DECODERS,
}


def unused_options(settings: Mapping[str, Any]) -> list[str]:
    """Messages about settings of a model that have no effect.

    Args:
        settings: hyper-parameters of `Im2Tex`, checked; the attention is `none` if the decoder
            takes none.

    Returns:
        One sentence for each, with the option, its value and what to do.
    """
    found = [*_unused_coarse_grid(settings)]
    for kind, registry in _REGISTRIES.items():
        if kind != "attention" or settings[kind] != NO_ATTENTION:
            found += _inactive_arguments(kind, registry, settings)
    return found


def _inactive_arguments(
    kind: str, registry: Registry[Any], settings: Mapping[str, Any]
) -> Iterator[str]:
    """Arguments of a component that differ from their defaults and have no effect."""
    name = settings[kind]
    arguments = registry.complete(name, settings[f"{kind}_args"])
    parameters = registry.parameters(name)
    table = component_attribute(registry.get(name), "inactive_when", "idle")
    for option, (switch, off) in table.items():
        if option not in arguments or switch not in arguments:  # not an argument of this subclass
            continue
        if arguments[option] != parameters[option].default and arguments[switch] == off:
            way = f"set {switch} to {_yaml(not off)}"
            if not isinstance(off, bool):
                way = f"choose another {switch}"
            yield (
                f"model.{kind}_args.{option} is {_yaml(arguments[option])}, which has no effect "
                f"where {switch} is {_yaml(off)}: leave {option} out, or {way}."
            )


def _unused_coarse_grid(settings: Mapping[str, Any]) -> Iterator[str]:
    """The encoder's option `coarse`, if nothing attends to a coarse grid."""
    encoder, attention, decoder = (settings[kind] for kind in _REGISTRIES)
    if not ENCODERS.check(encoder, settings["encoder_args"]).get("coarse"):
        return
    kind, name = ("decoder", decoder) if attention == NO_ATTENTION else ("attention", attention)
    if "coarse_width" in inspect.signature(_REGISTRIES[kind].get(name)).parameters:
        return
    yield (
        f"model.encoder_args.coarse is true, but {kind} '{name}' does not attend to a coarse grid: "
        "set coarse to false, or take decoder lstm with attention hierarchical, hard, sparsemax or "
        "coarse_only."
    )


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
