"""The model that `--ckpt_path` names: its file, its settings as a layer, conflicts with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from im2tex.commands.components import registries
from im2tex.commands.trainer.config_layers import ConfigLayer
from im2tex.decoders.base import NO_ATTENTION
from im2tex.errors import Im2TexError
from im2tex.model.pretrained import StoredModel
from im2tex.utils.files import newest_file

_MODEL_COMPONENTS = ("encoder", "attention", "decoder")
_TRAINING_COMPONENTS = ("optimizer", "schedule")
_NOT_IN_CONFIG = ("vocabulary",)


def find_checkpoint(path: str, folder: str) -> str:
    """The path of a checkpoint; for `last`, that of the newest `last.ckpt` below a folder.

    Args:
        path: as given with --ckpt_path.
        folder: folder of the runs.

    Raises:
        Im2TexError: if the folder holds no `last.ckpt`.
    """
    if path != "last":
        return path
    newest = newest_file(Path(folder), "**/checkpoints/last.ckpt")
    if newest is None:
        raise Im2TexError(
            f"--ckpt_path last: there is no checkpoints/last.ckpt below {folder}. Give the path of "
            "a checkpoint, or set --trainer.default_root_dir to the folder of the run."
        )
    return str(newest)


def model_folder_layer(stored: StoredModel) -> ConfigLayer:
    """The settings of a model folder: model, ensemble and data."""
    ensemble = {"ensemble": list(stored.members), "tta_scales": list(stored.scales)}
    return ConfigLayer.of_settings(
        {"model": _for_config(stored.settings) | ensemble, "data": dict(stored.data)}
    )


def checkpoint_layer(checkpoint: Mapping[str, Any]) -> ConfigLayer:
    """The settings of a checkpoint: model, data and averaging of weights."""
    return ConfigLayer.of_settings(
        {
            "model": _for_config(checkpoint["hyper_parameters"]),
            "data": dict(checkpoint.get("datamodule_hyper_parameters", {})),
            "ema": checkpoint.get("callbacks", {}).get("EMA", {}).get("decay", 0.0),
        }
    )


def _for_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _NOT_IN_CONFIG}


def check_conflicts(settings: Any, trained: Mapping[str, Any], *, resume: bool) -> None:
    """Checks that settings agree with a checkpoint's architecture and vocabulary.

    A resumed fit must also have the same optimizer and schedule, since their states are restored.

    Args:
        settings: settings of the model, all layers merged.
        trained: hyper-parameters of the checkpoint.
        resume: whether a fit resumes.

    Raises:
        Im2TexError: if a setting differs.
    """
    vocabulary = trained["vocabulary"]
    pairs = [("vocabulary", settings.get("vocabulary") or vocabulary, vocabulary)]
    for kind in (*_MODEL_COMPONENTS, *(_TRAINING_COMPONENTS if resume else ())):
        name, registry = trained[kind], registries()[f"{kind}s"]
        if name == NO_ATTENTION:  # the model itself checks that
            continue
        pairs.append((kind, settings[kind], name))
        if settings[kind] == name:
            given, known = (
                registry.complete(name, dict(source.get(f"{kind}_args") or {}))
                for source in (settings, trained)
            )
            pairs += [(f"{kind}_args.{key}", given[key], known[key]) for key in given]
    for setting, wanted, known in pairs:
        if wanted != known:
            raise Im2TexError(
                f"model.{setting} is {_short(wanted)}, but the checkpoint was trained with "
                f"{_short(known)}, which goes with its weights: leave the setting out, or use "
                "model.init_from to start another fit from the weights alone."
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]} …"
