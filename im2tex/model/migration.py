"""Migration of files of older formats: one table of what has changed between them.

Format 1 (im2tex 0.1): the LightningModule was the model, so the keys of a `state_dict` had no
prefix; callbacks and optimisers were in `im2tex.callbacks` and `im2tex.optim`; the `config.json` of
a model folder held all hyper-parameters, and its ensemble under `reading`.

Formats 1 and 2: settings and arguments had the old names of `im2tex.renames`; some weights had the
old names of `WEIGHTS`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from im2tex.renames import current_components, current_settings

PREFIX = "recognizer."
"""Prefix of a recogniser's weights in the `state_dict` of a LightningModule."""

MOVED_PACKAGES: Mapping[str, str] = {
    "im2tex.callbacks": "im2tex.training.callbacks",
    "im2tex.module": "im2tex.training.module",
    "im2tex.optim": "im2tex.training.optim",
}
"""New places of packages that a configuration may name as a `class_path`."""

RENAMED_CALLBACKS: Mapping[str, str] = {
    "AttentionPictures": "AttentionImages",
    "LogLine": "ConsoleLogger",
    "Progress": "TerminalProgressBar",
    "RunCheckpoints": "BestAndLastCheckpoint",
    "ValidationPictures": "ValidationImages",
}
"""New names of classes in `im2tex.training.callbacks`, as class paths or keys of their states."""

TRAINING_ONLY = {
    "min_count",
    "optimizer",
    "optimizer_args",
    "schedule",
    "schedule_args",
    "clip_norm",
    "examples",  # the earlier name of `num_validation_examples`
    "num_validation_examples",
}


_LSTMS = {r"\bforwards\.": "forward_lstm.", r"\bbackwards\.": "backward_lstm."}

WEIGHTS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("encoder", "row_cnn"): {
        r"\brows\.start$": "row_encoder.row_embedding",
        r"\brows\.": "row_encoder.",
        **_LSTMS,
    },
    ("encoder", "densenet"): {
        r"^(transitions\.\d+)\.narrow\.": r"\1.conv.",
        r"\.narrow\.": ".conv1.",
        r"\.narrow_norm\.": ".norm1.",
        r"\.look\.": ".conv2.",
        r"\.look_norm\.": ".norm2.",
    },
    ("decoder", "transformer"): {r"\.widen\.": ".linear1.", r"\.narrow\.": ".linear2."},
    ("decoder", "ctc"): _LSTMS,
}
"""Names of weights in formats 1 and 2 (patterns) and their current names, by component."""


def migrate_checkpoint(checkpoint: dict[str, Any]) -> None:
    """Changes a checkpoint of format 1 to format 2, in place."""
    for name in ("state_dict", "current_model_state"):  # the latter: weights without EMA
        state = checkpoint.get(name)
        if isinstance(state, Mapping) and all(isinstance(key, str) for key in state):
            checkpoint[name] = {PREFIX + key: value for key, value in state.items()}


def migrate_config(config: dict[str, Any]) -> None:
    """Changes the `config.json` of a model folder of format 1 to format 2, in place."""
    if "hyper_parameters" in config:
        parameters = config.pop("hyper_parameters")
        known = isinstance(parameters, Mapping)
        config["model"] = recognizer_settings(parameters) if known else parameters
    ensemble = config.pop("reading", {})
    if isinstance(ensemble, dict) and ensemble.get("views", 0) is None:
        del ensemble["views"]
    if isinstance(ensemble, dict) and "views" in ensemble:
        ensemble["scales"] = ensemble.pop("views")
    config["ensemble"] = ensemble


def rename_weights(state: Any, settings: Any) -> Any:
    """Replaces old names of the weights of the package's own components.

    Args:
        state: weights by name, with or without `PREFIX`.
        settings: of the model, with the names of its components.

    Returns:
        The weights by their current names; both arguments may be malformed.
    """
    if not isinstance(state, Mapping) or not isinstance(settings, Mapping):
        return state
    tables = {
        kind: WEIGHTS.get((kind, str(settings.get(kind))), {}) for kind in ("encoder", "decoder")
    }
    return {_current_weight(key, tables): value for key, value in state.items()}


def _current_weight(key: Any, tables: Mapping[str, Mapping[str, str]]) -> Any:
    if not isinstance(key, str):
        return key
    prefix = PREFIX if key.startswith(PREFIX) else ""
    kind, _, name = key.removeprefix(prefix).partition(".")
    for old, new in tables.get(kind, {}).items():
        name = re.sub(old, new, name)
    return f"{prefix}{kind}.{name}" if name else key


def rename_settings(content: dict[str, Any]) -> None:
    """Replaces old names of settings, of components' arguments and of their values, in place.

    Args:
        content: of a checkpoint, or of the `config.json` of a model folder, in the current format.

    Raises:
        Im2TexError: if a setting is given by its old and by its current name.
    """
    keys = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}
    if "hyper_parameters" not in content:
        keys = {"model": "model", "data": "data"}
    groups = {group: content[key] for group, key in keys.items() if key in content}
    current, _ = current_settings(groups)
    for group, settings in current_components(current).items():
        content[keys[group]] = settings
    states = content.get("callbacks")
    if isinstance(states, dict):
        content["callbacks"] = {_current_state_key(key): one for key, one in states.items()}


def migrate_class_paths(content: Any) -> tuple[Any, list[str]]:
    """Replaces class paths of older versions in a configuration.

    Args:
        content: of a YAML file; nested dictionaries and lists.

    Returns:
        The content with new paths, and the old paths found.
    """
    if isinstance(content, Mapping):
        pairs = {key: migrate_class_paths(value) for key, value in content.items()}
        found = [path for _, paths in pairs.values() for path in paths]
        changed = {key: value for key, (value, _) in pairs.items()}
        path = changed.get("class_path")
        if isinstance(path, str) and (new := current_class_path(path)) != path:
            return {**changed, "class_path": new}, [*found, path]
        return changed, found
    if isinstance(content, list):
        parts = [migrate_class_paths(value) for value in content]
        return [value for value, _ in parts], [path for _, paths in parts for path in paths]
    return content, []


def current_class_path(path: str) -> str:
    """The current path of a class that a configuration of an older version names."""
    for old, new in MOVED_PACKAGES.items():
        if path.startswith(f"{old}."):
            path = new + path.removeprefix(old)
    package, _, name = path.rpartition(".")
    if package not in ("", "im2tex.training.callbacks") or name not in RENAMED_CALLBACKS:
        return path
    return path.removesuffix(name) + RENAMED_CALLBACKS[name]


def _current_state_key(key: Any) -> Any:
    """The key of a callback's state: the class's name, and its arguments in braces."""
    name, brace, arguments = key.partition("{") if isinstance(key, str) else (key, "", "")
    return RENAMED_CALLBACKS[name] + brace + arguments if name in RENAMED_CALLBACKS else key


def recognizer_settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Recognizer` among those of `Im2Tex`."""
    return {
        name: value
        for name, value in parameters.items()
        if name not in TRAINING_ONLY and not name.startswith("_")
    }


def without_prefix(state: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a LightningModule by their names in its recogniser."""
    return {key.removeprefix(PREFIX): value for key, value in state.items()}
