"""`im2tex data prepare`: a source's raw data into a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from im2tex.commands.trainer.config_layers import flatten, read_config
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError


def prepare(
    source: str,
    root: Path,
    raw_data: str | None,
    labels: Path | None,
    config: Path | None = None,
    source_args: str | None = None,
) -> str:
    """Prepares a source and says what was done.

    Args:
        source: registered name.
        root: folder of the stores.
        raw_data: the raw data, a path or a URL, where the source needs one.
        labels: a file of labels to use instead of the data's own.
        config: a configuration whose `data.source_args` are taken.
        source_args: settings of the source as a YAML mapping; they win over the configuration's.

    Raises:
        Im2TexError: if something is missing, unreadable or unwritable.
    """
    settings = {**_configured(source, config), **given_settings(source_args)}
    done = SOURCES.build(source, settings).prepare(root, raw_data, labels)
    counts = ", ".join(f"{split} {count:,}" for split, count in done.splits.items())
    return "\n".join([f"{source} under {root / source}: {counts}", *done.lines])


def _configured(source: str, config: Path | None) -> Mapping[str, Any]:
    if config is None:
        return {}
    settings = flatten(read_config(config))
    if settings.get("data.source") != source:
        raise Im2TexError(
            f"--config {config} is for source '{settings.get('data.source')}', not '{source}'."
        )
    return settings.get("data.source_args") or {}


def given_settings(source_args: str | None) -> Mapping[str, Any]:
    """What `--source_args` says.

    Raises:
        Im2TexError: if it is no YAML mapping.
    """
    try:
        found = yaml.safe_load(source_args or "{}")
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: no such date
        found = None
    if not isinstance(found, Mapping):
        raise Im2TexError(
            f"--source_args is a mapping such as '{{limit: 1000}}', got {source_args!r}."
        )
    return found
