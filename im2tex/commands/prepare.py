"""`im2tex data prepare`: reads the raw data of a source into Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from im2tex.commands.trainer.config_layers import load_config
from im2tex.errors import Im2TexError


def prepare(
    source: str,
    *,
    root: Path = Path("data"),
    raw_data: str | None = None,
    labels: Path | None = None,
    config: Path | None = None,
    source_args: str | None = None,
) -> None:
    """Reads the raw data of a source and writes one Parquet file per split to ROOT/SOURCE.

    Every other command finds the data there. Files that cannot be read are reported.

    Args:
        source: name of a source, see `im2tex components sources`.
        root: folder of the prepared data.
        raw_data: the raw data: a folder, an archive or a URL.
        labels: file of labels that replace those of the raw data.
        config: configuration file whose `data.source_args` are used.
        source_args: settings of the source, such as '{limit: 1000}'; they override those of
            --config.

    Raises:
        Im2TexError: if raw data or settings are missing or wrong, or the folder is not writable.
    """
    from im2tex.data.source import SOURCES
    from im2tex.data.store import Split

    settings = {**_configured_arguments(source, config), **parse_source_args(source_args)}
    made = SOURCES.build(source, settings)
    done = made.prepare(root, raw_data, labels)
    for split in done.splits:
        Split(made.path(root, split)).build_cache()
    counts = ", ".join(f"{split} {count:,}" for split, count in done.splits.items())
    print(f"{source} under {root / source}: {counts}", *done.lines, sep="\n")


def _configured_arguments(source: str, config: Path | None) -> Mapping[str, Any]:
    if config is None:
        return {}
    data = load_config(config).get("data") or {}
    if data.get("source") != source:
        other = data.get("source")
        raise Im2TexError(f"--config {config} is for source '{other}', not '{source}'.")
    return data.get("source_args") or {}


def parse_source_args(source_args: str | None) -> Mapping[str, Any]:
    """The settings that `--source_args` gives.

    Raises:
        Im2TexError: if it is not a YAML mapping.
    """
    try:
        settings = yaml.safe_load(source_args or "{}")
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: an impossible date
        settings = None
    if not isinstance(settings, Mapping):
        raise Im2TexError(
            f"--source_args must be a mapping such as '{{limit: 1000}}', got {source_args!r}."
        )
    return settings
