"""Layers of a command's settings: configuration files, flags, and the settings of a checkpoint.

jsonargparse merges configuration files and flags in the order of the command line. Four rules are
added here, on the argument list, before it is parsed:

- A configuration file with the key `base` extends another file, given relative to itself.
- When a layer changes the name of a component, the earlier layers' arguments of that component are
  reset, since they belong to another component.
- The settings of a checkpoint are the first layer, so that all others override them.
- Old names of settings and of components' arguments are replaced in every layer, so that a later
  layer overrides an earlier one whichever name it uses.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from im2tex.errors import Im2TexError
from im2tex.model.migration import current_class_path, migrate_class_paths
from im2tex.renames import (
    current_arguments,
    current_setting,
    current_settings,
    warn_of_old_names,
)
from im2tex.utils.files import wrap_os_errors

COMPONENT_ARGUMENTS = {
    **{
        f"model.{kind}": {f"model.{kind}_args": "{}"}
        for kind in ("encoder", "attention", "decoder", "optimizer", "schedule")
    },
    "data.source": {
        "data.source_args": "{}",
        "data.train_split": "null",
        "data.validation_split": "null",
        "data.test_splits": "null",
        "data.predict_splits": "null",
    },
}
"""For each setting that names a component: its dependent settings, and their empty values."""

BASE = "base"
"""The key of a configuration file that names the file it extends."""


@dataclass
class ConfigLayer:
    """Settings that take effect together: a file, consecutive flags, or those of a checkpoint.

    Attributes:
        arguments: the flags as on the command line; empty for a file.
        values: values by dotted name; those of flags are text.
        content: nested settings of a file or checkpoint; None for flags.
    """

    arguments: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] | None = None

    @classmethod
    def of_settings(cls, content: Mapping[str, Any]) -> ConfigLayer:
        """A layer of nested settings."""
        return cls(values=flatten(content), content=content)


def split_layers(arguments: Sequence[str]) -> list[ConfigLayer]:
    """Splits arguments, without the subcommand, into layers with the current names of settings.

    Raises:
        Im2TexError: as for `load_config`.
    """
    layers: list[ConfigLayer] = []
    for name, value, words in _split_options(arguments):
        if name in ("--config", "-c"):
            layers.append(ConfigLayer.of_settings(load_config(Path(value))))
            continue
        if not layers or layers[-1].content is not None:
            layers.append(ConfigLayer())
        layers[-1].arguments += words
        layers[-1].values[name.removeprefix("--")] = value
    return layers


def _split_options(arguments: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Name, value and words of each option, with current names; old ones give a warning."""
    remaining = list(arguments)
    while remaining:
        words = [remaining.pop(0)]
        name, equals, value = words[0].partition("=")
        if not equals and remaining and not remaining[0].startswith("--"):
            value = remaining.pop(0)
            words.append(value)
        current = name
        if name.startswith("--"):
            old = name.removeprefix("--").rstrip("+")
            new = current_setting(old)
            if new != old:
                warn_of_old_names(name, [(old, new)])
            current = name.replace(old, new, 1)
        path = current_class_path(value)
        if path != value:
            _warn_of_class_path(name, value)
        words = [current, path] if len(words) == 2 else [f"{current}{equals}{path}"]
        yield current, path, words


def load_config(path: Path, extended_by: Sequence[Path] = ()) -> dict[str, Any]:
    """The nested settings of a configuration file, merged with those of its bases.

    A mapping within a group, such as `model.encoder_args`, replaces that of the base.

    Args:
        path: of the file.
        extended_by: the files of which this one is the base.

    Raises:
        Im2TexError: if the file does not exist, is not a YAML mapping, or extends itself.
    """
    if path.resolve() in extended_by:
        raise Im2TexError(f"--config {path} is its own {BASE}.")
    content = _read_config(path)
    base = content.pop(BASE, None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise Im2TexError(
            f"--config {path}: {BASE} must be the path of another configuration file, relative to "
            f"this one; got {base!r}."
        )
    merged = load_config(path.parent / base, [*extended_by, path.resolve()])
    for group, value in content.items():
        before = merged.get(group)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            old, new = flatten({group: before}), flatten({group: value})
            stale = {
                setting
                for name, owned in COMPONENT_ARGUMENTS.items()
                if _changes(name, old, new)
                for setting in owned
            }
            kept = {key: entry for key, entry in before.items() if f"{group}.{key}" not in stale}
            merged[group] = kept | dict(value)
        else:
            merged[group] = value
    return merged


def _changes(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return after.get(name) is not None and after[name] != before.get(name)


def reset_replaced_arguments(
    layers: Sequence[ConfigLayer], defaults: Mapping[str, Any]
) -> list[str]:
    """The argument list, in which a changed component resets the arguments of the earlier one.

    Args:
        layers: in the order of the command line.
        defaults: the components that are used where no layer names one.
    """
    current = dict(defaults)
    arguments: list[str] = []
    for layer in layers:
        for name, owned in COMPONENT_ARGUMENTS.items():
            if _changes(name, current, layer.values):
                arguments += [f"--{setting}={empty}" for setting, empty in owned.items()]
                current[name] = layer.values[name]
        arguments += layer.arguments
    return arguments


def use_current_arguments(layers: Sequence[ConfigLayer], defaults: Mapping[str, Any]) -> None:
    """Replaces old names of components' arguments in all layers, in place, with a warning.

    Args:
        layers: in the order of the command line.
        defaults: the components that are used where no layer names one.

    Raises:
        Im2TexError: if a layer gives an argument by both names.
    """
    components = dict(defaults)
    for layer in layers:
        named = {name: layer.values.get(name) for name in components}
        components |= {name: value for name, value in named.items() if value is not None}
        if layer.content is None:
            _rename_flags(layer, components)
        else:
            content = dict(layer.content)
            for name, component in components.items():
                group, _, kind = name.partition(".")
                settings = content.get(group)
                arguments = settings.get(f"{kind}_args") if isinstance(settings, Mapping) else None
                if isinstance(settings, Mapping) and isinstance(arguments, Mapping):
                    current = _current_arguments(kind, component, arguments)
                    content[group] = {**settings, f"{kind}_args": current}
            layer.content, layer.values = content, flatten(content)


def _rename_flags(layer: ConfigLayer, components: Mapping[str, Any]) -> None:
    """Replaces old names of components' arguments in the flags of a layer."""
    options = list(_split_options(layer.arguments))
    layer.arguments, layer.values = [], {}
    for option, text, words in options:
        name, value = option, text
        for setting, component in components.items():
            owner, kind = f"--{setting}_args", setting.partition(".")[2]
            if option == owner:
                value = _current_value(kind, component, text)
            elif option.startswith(f"{owner}."):
                old, *rest = option.removeprefix(f"{owner}.").split(".")
                ((new, value),) = _current_arguments(kind, component, {old: text}).items()
                name = ".".join([owner, new, *rest])
        equals = len(words) == 1 and "=" in words[0]
        layer.arguments += [f"{name}={value}"] if equals else [name, value][: len(words)]
        layer.values[name.removeprefix("--")] = value


def _current_value(kind: str, component: str, text: str) -> str:
    """The text of all arguments of a component, with current names."""
    try:
        arguments = yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # a later check says what is wrong
    if not isinstance(arguments, Mapping):
        return text
    current = _current_arguments(kind, component, arguments)
    return text if current == arguments else json.dumps(current, default=str)


def _current_arguments(kind: str, component: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with current names; old ones give a warning."""
    current, changes = current_arguments(kind, str(component), arguments)
    warn_of_old_names(f"{kind} '{component}'", changes)
    return current


def last_value(layers: Sequence[ConfigLayer], name: str) -> Any:
    """The value of a setting in the last layer that has it, or None."""
    return next((layer.values[name] for layer in reversed(layers) if name in layer.values), None)


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name, inner nodes as well as leaves."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
    return flat


def _read_config(path: Path) -> dict[str, Any]:
    """The settings of one configuration file; old names are replaced, with a warning.

    Raises:
        Im2TexError: if it does not exist, is not a YAML mapping, or has a setting by two names.
    """
    try:
        with wrap_os_errors(f"read --config {path}"):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise Im2TexError(f"--config {path} is not valid YAML: {problem}") from error
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise Im2TexError(
            f"--config {path} must hold settings by name, got a {type(content).__name__}."
        )
    content, class_paths = migrate_class_paths(content)
    for class_path in class_paths:
        _warn_of_class_path(str(path), class_path)
    try:
        content, renamed = current_settings(content)
    except Im2TexError as error:
        raise Im2TexError(f"--config {path}: {error}") from None
    warn_of_old_names(str(path), renamed)
    return content


def _warn_of_class_path(owner: str, path: str) -> None:
    warnings.warn(
        f"{owner}: the class path {path} is of an older version; write {current_class_path(path)}.",
        FutureWarning,
        stacklevel=2,
    )
