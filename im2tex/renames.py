"""Old names of settings and the names that replaced them: one table for all files and flags.

An old name is accepted for one release. A configuration file, a flag or a Python call that uses it
gives a `FutureWarning` with the new name. Checkpoints and model folders are translated without a
warning, see `im2tex.model.migration`.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError

_TABLES = tomllib.loads(Path(__file__).with_name("renames.toml").read_text(encoding="utf-8"))

SETTINGS: dict[str, str] = _TABLES["settings"]
"""New names of settings by their old names, dotted, such as `data.workers`."""

ARGUMENTS: dict[tuple[str, str], dict[str, str]] = {
    (kind, name): names
    for kind, components in _TABLES["arguments"].items()
    for name, names in components.items()
}
"""New names of a component's arguments by their old names, by kind and name of the component."""

VALUES: dict[tuple[str, str, str], dict[Any, Any]] = {
    (kind, name, argument): values
    for kind, components in _TABLES["values"].items()
    for name, arguments in components.items()
    for argument, values in arguments.items()
}
"""New values by old values, by kind and name of the component and (new) name of the argument."""

_KINDS = {
    "model": ("encoder", "attention", "decoder", "optimizer", "schedule"),
    "data": ("source",),
}

Change = tuple[str, str]
"""An old spelling and the new one."""


def current_setting(name: str) -> str:
    """The current name of a dotted setting, such as `data.num_workers` for `data.workers`."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        head = ".".join(parts[:end])
        if head in SETTINGS:
            return ".".join([SETTINGS[head], *parts[end:]])
    return name


def current_settings(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[Change]]:
    """Replaces old names of settings in a configuration.

    Args:
        content: nested settings, with the groups `model` and `data` at the top.

    Returns:
        The settings with current names, and the changes made.

    Raises:
        Im2TexError: if a setting is given by both names.
    """
    changes: list[Change] = []
    return _renamed(content, "", changes), changes


def current_arguments(
    kind: str, name: str, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Change]]:
    """Replaces old names and values of a component's arguments.

    Args:
        kind: of the component, such as "decoder".
        name: of the component, such as "lstm".
        arguments: by name.

    Returns:
        The arguments with current names and values, and the changes made.

    Raises:
        Im2TexError: if an argument is given by both names.
    """
    names = ARGUMENTS.get((kind, name), {})
    result: dict[str, Any] = {}
    changes: list[Change] = []
    for old, value in arguments.items():
        new = names.get(old, old)
        if new != old:
            if new in arguments:
                raise Im2TexError(_both_names_error(f"{kind} '{name}'", old, new))
            changes.append((old, new))
        values = VALUES.get((kind, name, new), {})
        changed = values[value] if isinstance(value, str) and value in values else value
        if changed is not value:
            changes.append((f"{new}={value}", f"{new}={changed}"))
        result[new] = changed
    return result, changes


def current_components(content: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces old names of the arguments of every component that a configuration names.

    Args:
        content: nested settings with current names, see `current_settings`.

    Returns:
        The settings; those of an unexpected type are left to later checks.
    """
    result = dict(content)
    for group, kinds in _KINDS.items():
        settings = result.get(group)
        if not isinstance(settings, Mapping):
            continue
        result[group] = changed = dict(settings)
        for kind in kinds:
            name, arguments = settings.get(kind), settings.get(f"{kind}_args")
            if isinstance(name, str) and isinstance(arguments, Mapping):
                changed[f"{kind}_args"], _ = current_arguments(kind, name, arguments)
    return result


def component_attribute(component: object, name: str, old: str) -> Any:
    """The value of a component's attribute, also of one that defines it under its old name.

    Args:
        component: an encoder, attention or decoder, or its class.
        name: of the attribute.
        old: its name in the previous release, accepted with a `FutureWarning`.
    """
    if not hasattr(component, old):
        return getattr(component, name)
    cls = component if isinstance(component, type) else type(component)
    warn_of_old_names(cls.__qualname__, [(old, name)], stacklevel=3)
    return getattr(component, old)


def warn_of_old_names(owner: str, changes: Sequence[Change], stacklevel: int = 2) -> None:
    """Gives one `FutureWarning` for each change.

    Args:
        owner: where the old name was found, such as a file's path.
        changes: as the functions above return them.
        stacklevel: as for `warnings.warn`, counted from the caller.
    """
    for old, new in changes:
        message = f"{owner}: {old} is the name of an older version; write {new}."
        warnings.warn(message, FutureWarning, stacklevel=stacklevel + 1)


def _renamed(content: Mapping[str, Any], prefix: str, changes: list[Change]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in content.items():
        old = f"{prefix}{key}"
        new = SETTINGS.get(old, old)
        if new != old:
            changes.append((old, new))
        last = new.rpartition(".")[2]
        if new != old and last in content:
            raise Im2TexError(_both_names_error("a configuration", old, new))
        nested = isinstance(value, Mapping) and any(name.startswith(f"{old}.") for name in SETTINGS)
        result[last] = _renamed(value, f"{old}.", changes) if nested else value
    return result


def _both_names_error(owner: str, old: str, new: str) -> str:
    return f"{owner} has both {old} and {new}, which is its current name: remove {old}."
