"""`im2tex components`: lists the components that the registries hold."""

from __future__ import annotations

import inspect

from im2tex.errors import Im2TexError
from im2tex.registry import Registry


def registries() -> dict[str, Registry]:  # type: ignore[type-arg]
    """Every registry, by the plural of its kind."""
    from im2tex.attention import ATTENTIONS
    from im2tex.data.source import SOURCES
    from im2tex.decoders import DECODERS
    from im2tex.encoders import ENCODERS
    from im2tex.training.optim import OPTIMIZERS, SCHEDULES

    return {
        "encoders": ENCODERS,
        "attentions": ATTENTIONS,
        "decoders": DECODERS,
        "sources": SOURCES,
        "optimizers": OPTIMIZERS,
        "schedules": SCHEDULES,
    }


def components(kind: str | None = None) -> None:
    """Lists the components that can be chosen by name, with their arguments and defaults.

    Components of installed plugin packages are included.

    Args:
        kind: encoders, attentions, decoders, sources, optimizers or schedules; all of them if not
            given.

    Raises:
        Im2TexError: if there is no such kind.
    """
    known = registries()
    if kind is not None and kind not in known:
        raise Im2TexError(f"unknown kind '{kind}'. Known: {', '.join(known)}.")
    for plural, registry in known.items():
        if kind not in (None, plural):
            continue
        print(f"{plural}:")
        for name in registry.names():
            arguments = ", ".join(map(_argument, registry.parameters(name).values()))
            summary = (inspect.getdoc(registry.get(name)) or "").split("\n", 1)[0]
            print(f"  {name}({arguments})  {summary}")


def _argument(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    return f"{parameter.name}={parameter.default!r}"
