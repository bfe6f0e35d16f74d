"""Layers of a command's settings: what a later one changes in an earlier one.

jsonargparse merges configuration files and flags in the order in which they stand. Three things
are added here, on the argument list itself, before it is parsed:

- a configuration file with a `base`, another file beside it, says only what differs from that one,
  which becomes the layer before it;
- a component's name changed by a later layer drops the earlier layers' arguments for it, which
  belong to another component;
- a checkpoint's settings become the first layer, so that everything else wins over them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from im2tex.errors import Im2TexError
from im2tex.model.migration import current_class_path, migrate_class_paths
from im2tex.renames import current_setting, current_settings, warn_of_old_names

CHOICES = {
    "model.encoder": {"model.encoder_args": "{}"},
    "model.attention": {"model.attention_args": "{}"},
    "model.decoder": {"model.decoder_args": "{}"},
    "model.optimizer": {"model.optimizer_args": "{}"},
    "model.schedule": {"model.schedule_args": "{}"},
    "data.source": {
        "data.source_args": "{}",
        "data.train_split": "null",
        "data.validation_split": "null",
        "data.test_splits": "null",
        "data.predict_splits": "null",
    },
}
"""Names, and what to reset the settings to that mean something to that one's component only."""


BASE = "base"
"""The key under which a configuration file names the one that it starts from."""


@dataclass
class Layer:
    """Settings that stand together: a configuration file, or flags in a row.

    Attributes:
        arguments: as they stood on the command line.
        values: dotted names to values, for those settings whose value is known before parsing.
        content: what to parse instead of `arguments`; of a file that jsonargparse cannot read as
            it is, and of a checkpoint.
    """

    arguments: list[str]
    values: dict[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] | None = None


def split_layers(arguments: Sequence[str]) -> list[Layer]:
    """Cuts arguments (without the subcommand) into layers.

    Raises:
        Im2TexError: if a configuration file is missing, is no YAML mapping, or is its own base.
    """
    layers: list[Layer] = []
    flags: Layer | None = None
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        name, equals, value = argument.partition("=")
        current = _current_flag(name)
        taken = [current + equals + value]
        name = current
        if not equals and position + 1 < len(arguments):
            value = arguments[position + 1]
            if not value.startswith("--"):
                taken.append(value)
        position += len(taken)
        current = current_class_path(value)
        if current != value:
            _warn_of_class_path(name, value)
            taken, value = [f"{name}={current}"], current
        if name in ("--config", "-c"):
            flags = None
            contents, changed = _with_bases(Path(value))
            if len(contents) == 1 and not changed:
                layers.append(Layer(taken, flatten(contents[0])))
            else:
                layers += [Layer([], flatten(content), content) for content in contents]
            continue
        if flags is None:
            flags = Layer([])
            layers.append(flags)
        flags.arguments += taken
        if name.startswith("--"):
            flags.values[name.removeprefix("--")] = value
    return layers


def _current_flag(name: str) -> str:
    """A flag with the current name of its setting; an old name gives a warning."""
    if not name.startswith("--"):
        return name
    old = name.removeprefix("--").rstrip("+")
    new = current_setting(old)
    if new != old:
        warn_of_old_names(name, [(old, new)])
    return f"--{new}{name[2 + len(old) :]}"


def _current(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A configuration with the names of older versions replaced; each gives a warning.

    Raises:
        Im2TexError: if a setting is given by its old and by its current name.
    """
    changed, paths = migrate_class_paths(content)
    for class_path in paths:
        _warn_of_class_path(str(path), class_path)
    try:
        changed, renamed = current_settings(changed)
    except Im2TexError as error:
        raise Im2TexError(f"--config {path}: {error}") from None
    warn_of_old_names(str(path), renamed)
    return changed


def _warn_of_class_path(name: str, path: str) -> None:
    warnings.warn(
        f"{name}: the class path {path} is of an older version; write {current_class_path(path)}.",
        FutureWarning,
        stacklevel=2,
    )


def merged(path: Path) -> dict[str, Any]:
    """A configuration file with its bases below it, as the commands would merge them.

    A dictionary within a group (`model.encoder_args`) replaces the one before it, and a changed
    name drops it.

    Raises:
        Im2TexError: as for `split_layers`.
    """
    result: dict[str, Any] = {}
    for content in _with_bases(path)[0]:
        for name, value in content.items():
            known = result.get(name)
            if not (isinstance(known, Mapping) and isinstance(value, Mapping)):
                result[name] = value
                continue
            stale = _stale(name, known, value)
            kept = {key: one for key, one in known.items() if key not in stale}
            result[name] = kept | dict(value)
    return result


def _stale(group: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The settings of a group that belong to a component which a later layer has changed."""
    stale = set()
    for name, owned in CHOICES.items():
        key = name.removeprefix(f"{group}.")
        if key != name and key in after and after[key] != before.get(key):
            stale |= {setting.removeprefix(f"{group}.") for setting in owned}
    return stale


def _with_bases(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The settings of a configuration file after those of its base, with current names.

    Returns:
        The settings of each file, and whether any name was replaced.
    """
    contents: list[dict[str, Any]] = []
    changed = False
    seen: list[Path] = []
    here: Path | None = path
    while here is not None:
        if here.resolve() in seen:
            raise Im2TexError(f"--config {path}: {here} is its own {BASE}.")
        seen.append(here.resolve())
        content = dict(read_config(here))
        base = content.pop(BASE, None)
        if not isinstance(base, str | None):
            raise Im2TexError(
                f"--config {here}: {BASE} names another configuration file, relative to this one; "
                f"got {base!r}."
            )
        current = _current(content, here)
        changed |= current != content
        contents.insert(0, current)
        here = None if base is None else here.parent / base
    return contents, changed


def drop_stale(layers: Sequence[Layer], defaults: Mapping[str, Any]) -> list[str]:
    """The argument list in which a changed name has reset the arguments of the name before it.

    Args:
        layers: in the order in which they stand.
        defaults: the names that hold where no layer says one.
    """
    current = dict(defaults)
    result: list[str] = []
    for layer in layers:
        for name, owned in CHOICES.items():
            value = layer.values.get(name)
            if value is None:
                continue
            if current.get(name) != value:
                result += [f"--{setting}={empty}" for setting, empty in owned.items()]
            current[name] = value
        result += layer.arguments
    return result


def effective(layers: Sequence[Layer], name: str) -> Any:
    """The value that the last layer to say so gives a setting, or None."""
    found = None
    for layer in layers:
        found = layer.values.get(name, found)
    return found


def read_config(path: Path) -> Mapping[str, Any]:
    """A configuration file.

    Raises:
        Im2TexError: if it is missing or is no YAML mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Im2TexError(f"cannot read --config {path}: {error.strerror or error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise Im2TexError(f"--config {path} is no valid YAML: {problem}") from error
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise Im2TexError(f"--config {path} holds no settings, but a {type(content).__name__}.")
    return content


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name; both inner nodes and leaves are listed."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat[f"{prefix}{name}"] = value
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
    return flat
