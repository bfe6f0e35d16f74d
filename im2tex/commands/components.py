"""`im2tex components`: what the registries hold."""

from __future__ import annotations

import inspect

from im2tex.errors import Im2TexError
from im2tex.registry import Registry


def registries() -> dict[str, Registry]:  # type: ignore[type-arg]
    """Every registry, by the plural of its kind."""
    from im2tex.attention import ATTENTIONS  # noqa: PLC0415 - imports torch
    from im2tex.data.source import SOURCES  # noqa: PLC0415
    from im2tex.decoders import DECODERS  # noqa: PLC0415
    from im2tex.encoders import ENCODERS  # noqa: PLC0415
    from im2tex.training.optim import OPTIMIZERS, SCHEDULES  # noqa: PLC0415

    return {
        "encoders": ENCODERS,
        "attentions": ATTENTIONS,
        "decoders": DECODERS,
        "sources": SOURCES,
        "optimizers": OPTIMIZERS,
        "schedules": SCHEDULES,
    }


def describe(kind: str | None = None) -> str:
    """A line a component: its name, what it is, and the arguments it accepts with their defaults.

    Args:
        kind: one registry only, by the plural of its kind.

    Raises:
        Im2TexError: for an unknown kind.
    """
    known = registries()
    if kind is not None and kind not in known:
        raise Im2TexError(f"unknown kind '{kind}'. Known: {', '.join(known)}.")
    lines = []
    for plural, registry in known.items():
        if kind not in (None, plural):
            continue
        lines.append(f"{plural}:")
        for name in registry.names():
            arguments = ", ".join(map(_spell, registry.parameters(name).values()))
            purpose = (inspect.getdoc(registry.get(name)) or "").split("\n", 1)[0]
            lines.append(f"  {name}({arguments})  {purpose}")
    return "\n".join(lines)


def _spell(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={parameter.default!r}"
