"""The model that `--ckpt_path` names: its file, its settings as a layer, conflicts with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from im2tex.attention import ATTENTIONS
from im2tex.commands.trainer.config_layers import Layer, flatten
from im2tex.decoders import DECODERS
from im2tex.decoders.base import NO_ATTENTION
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.model.pretrained import StoredModel
from im2tex.registry import Registry
from im2tex.training.optim import OPTIMIZERS, SCHEDULES

_ARCHITECTURE: dict[str, Registry[Any]] = {
    "encoder": ENCODERS,
    "attention": ATTENTIONS,
    "decoder": DECODERS,
}
_RECIPE: dict[str, Registry[Any]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
_FORGOTTEN = ("vocabulary",)  # hyper-parameters that do not travel through a configuration


def resolve(path: str, folder: str) -> str:
    """A checkpoint's path; `last` is the newest `last.ckpt` below the folder of runs.

    Args:
        path: as given.
        folder: of runs.

    Raises:
        Im2TexError: if there is none.
    """
    if path != "last":
        return path
    root = Path(folder)
    found = sorted(root.glob("**/checkpoints/last.ckpt"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise Im2TexError(
            f"--ckpt_path last: there is no checkpoints/last.ckpt below {root}. Give the path of "
            "a checkpoint, or set --trainer.default_root_dir to the folder of the run."
        )
    return str(found[-1])


def stored_layer(stored: StoredModel) -> Layer:
    """The settings of a model folder, with its ensemble and its data, as a layer."""
    ensemble = {"ensemble": list(stored.members), "tta_scales": list(stored.scales)}
    model = {name: value for name, value in stored.settings.items() if name not in _FORGOTTEN}
    settings = {"model": {**model, **ensemble}, "data": dict(stored.data)}
    return Layer([], flatten(settings), settings)


def checkpoint_layer(checkpoint: Mapping[str, Any]) -> Layer:
    """A checkpoint's settings of model and data, and of its average of weights, as a layer."""
    model = checkpoint["hyper_parameters"]
    settings = {
        "model": {name: value for name, value in model.items() if name not in _FORGOTTEN},
        "data": dict(checkpoint.get("datamodule_hyper_parameters", {})),
        "ema": checkpoint.get("callbacks", {}).get("EMA", {}).get("decay", 0.0),
    }
    return Layer([], flatten(settings), settings)


def refuse_conflicts(asked: Any, trained: Mapping[str, Any], going_on: bool) -> None:
    """A checkpoint's weights fit its own architecture and vocabulary only.

    And a fit that goes on, goes on with its optimiser, whose state would overrule other settings
    without a word.

    Args:
        asked: settings of the model, all layers together.
        trained: hyper-parameters of the checkpoint.
        going_on: whether a fit goes on from it.

    Raises:
        Im2TexError: if a setting asks for another one.
    """
    words = trained["vocabulary"]
    pairs = [("vocabulary", asked.get("vocabulary") or words, words)]
    for part, registry in (_ARCHITECTURE | (_RECIPE if going_on else {})).items():
        if trained[part] == NO_ATTENTION:  # the model itself says what its decoder does not take
            continue
        pairs.append((part, asked[part], trained[part]))
        if asked[part] == trained[part]:
            arguments = asked.get(f"{part}_args"), trained.get(f"{part}_args")
            wanted, known = (registry.complete(trained[part], dict(one or {})) for one in arguments)
            pairs += [(f"{part}_args.{name}", wanted[name], known[name]) for name in wanted]
    for name, wanted, known in pairs:
        if wanted != known:
            raise Im2TexError(
                f"model.{name} is {_short(wanted)}, but the checkpoint was trained with "
                f"{_short(known)}, which goes with its weights: leave the setting out, or use "
                "model.init_from to start another fit from the weights alone."
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]} …"
