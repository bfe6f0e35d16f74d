"""Layers of a command's settings: what a later one changes in an earlier one.

jsonargparse merges configuration files and flags in the order in which they stand. Two things are
added here, on the argument list itself, before it is parsed:

- a component's name changed by a later layer drops the earlier layers' arguments for it, which
  belong to another component;
- a checkpoint's settings become the first layer, so that everything else wins over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from im2tex.errors import Im2TexError

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


@dataclass
class Layer:
    """Settings that stand together: a configuration file, or flags in a row.

    Attributes:
        arguments: as they stood on the command line.
        values: dotted names to values, for those settings whose value is known before parsing.
    """

    arguments: list[str]
    values: dict[str, Any] = field(default_factory=dict)


def split_layers(arguments: Sequence[str]) -> list[Layer]:
    """Cuts arguments (without the subcommand) into layers.

    Raises:
        Im2TexError: if a configuration file is missing or is no YAML mapping.
    """
    layers: list[Layer] = []
    flags: Layer | None = None
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        name, equals, value = argument.partition("=")
        taken = [argument]
        if not equals and position + 1 < len(arguments):
            value = arguments[position + 1]
            if not value.startswith("--"):
                taken.append(value)
        position += len(taken)
        if name in ("--config", "-c"):
            flags = None
            layers.append(Layer(taken, flatten(read_config(Path(value)))))
            continue
        if flags is None:
            flags = Layer([])
            layers.append(flags)
        flags.arguments += taken
        if name.startswith("--"):
            flags.values[name.removeprefix("--")] = value
    return layers


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
