"""Checkpoints: their files, their format version, and starting a fit from another one's weights."""

from __future__ import annotations

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor

from im2tex import __version__
from im2tex.errors import Im2TexError
from im2tex.model.checkpoint_contents import require_plain, require_settings, require_state
from im2tex.utils.files import replacing

if TYPE_CHECKING:
    from im2tex.model.network import Network

FORMAT = 1
_KEY = "im2tex"
ENDED = "fit_ended"
"""The key of a checkpoint that says whether its fit came to its end."""


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and then moves it there.

    Lightning writes it into the system's temporary folder; where that is another file system, the
    move is a copy, and a run killed or a disk full in the middle of it costs the checkpoint that
    was there before.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Writes; the file that was there stays until the new one is complete.

        Raises:
            Im2TexError: if it cannot be written.
        """
        path = Path(path)
        try:
            with replacing(path) as part:
                torch.save(checkpoint, part)
        except (OSError, RuntimeError) as error:  # torch's own writer raises the latter
            reason = getattr(error, "strerror", None) or str(error).split("\n", 1)[0]
            raise Im2TexError(
                f"cannot write the checkpoint {path}: {reason}. The one before it is as it was: "
                "make room, then go on from it with --ckpt_path."
            ) from error

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> Any:
        """Reads; whatever is asked for, nothing of the file is run.

        Raises:
            Im2TexError: if it cannot be read.
        """
        return _read(Path(path))


def stamp(checkpoint: dict[str, Any]) -> None:
    """Writes the format version into a checkpoint."""
    checkpoint[_KEY] = {"format": FORMAT, "version": __version__}


def verify(checkpoint: dict[str, Any], where: str) -> None:
    """Checks the format version.

    Args:
        checkpoint: as loaded.
        where: what to call it in the message.

    Raises:
        Im2TexError: if it is no checkpoint of im2tex, or of a format this version cannot read.
    """
    found = checkpoint.get(_KEY)
    if not isinstance(found, dict):
        raise Im2TexError(f"{where} was not written by im2tex.")
    if found.get("format") != FORMAT:
        raise Im2TexError(
            f"{where} has format {found.get('format')} (im2tex {found.get('version')}); this is "
            f"im2tex {__version__}, which reads format {FORMAT}. Use the version that wrote it."
        )


def load(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU, without running code from it, and looks at what it holds.

    Raises:
        Im2TexError: if it is missing, damaged, or not ours.
    """
    where = str(path)
    checkpoint = _read(Path(path))
    if not isinstance(checkpoint, dict):
        raise Im2TexError(f"{where} is no checkpoint.")
    verify(checkpoint, where)
    require_state(checkpoint.get("state_dict"), where)
    require_settings(checkpoint.get("hyper_parameters"), where)
    data = checkpoint.get("datamodule_hyper_parameters", {})
    require_settings(data, where, "datamodule_hyper_parameters")
    for name, value in checkpoint.items():
        if name not in ("state_dict", "hyper_parameters", "datamodule_hyper_parameters"):
            require_plain(value, f"{where}: {ascii(name)[:80]}", tensors=True)
    for name, kind in _KINDS.items():
        value = checkpoint.get(name)
        if name in checkpoint and (not isinstance(value, kind) or isinstance(value, bool)):
            raise Im2TexError(
                f"{where}: its {name} is of type {type(value).__name__}, not {kind.__name__}. The "
                "file is damaged: take another checkpoint."
            )
    for name in ("epoch", "global_step"):
        if not 0 <= checkpoint.get(name, 0) < 2**62:
            raise Im2TexError(f"{where}: its {name} is no count. The file is damaged.")
    states = checkpoint.get("callbacks", {})
    if not all(isinstance(name, str) and isinstance(one, dict) for name, one in states.items()):
        raise Im2TexError(f"{where}: its callbacks have no states by name. The file is damaged.")
    return checkpoint


_KINDS: dict[str, type] = {
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}


def _read(path: Path) -> Any:
    """What a file holds: tensors and plain values only.

    Raises:
        Im2TexError: if it is no regular file, or none that torch wrote.
    """
    try:
        if not path.exists():
            raise Im2TexError(f"there is no checkpoint {path}.")
        if not path.is_file():
            raise Im2TexError(f"{path} cannot be read as a checkpoint: it is no regular file.")
        # What torch writes is not compressed: a file does not grow when it is read.
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > path.stat().st_size:
                raise zipfile.BadZipFile("it would grow when it is read")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Im2TexError:
        raise
    except (UnpicklingError, zipfile.BadZipFile) as error:
        # What torch says here runs over many lines, and advises to trust the file.
        raise Im2TexError(
            f"{path} cannot be read as a checkpoint: it is damaged, or no file of im2tex."
        ) from error
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise Im2TexError(f"{path} cannot be read as a checkpoint: {said}") from error


def require_start(path: str) -> None:
    """Refuses a checkpoint to start from that is not there.

    Raises:
        Im2TexError: if there is none.
    """
    if not Path(path).exists():
        raise Im2TexError(
            f"model.init_from: there is no checkpoint {path}. Make one by pretraining with "
            "`im2tex fit` (its checkpoints lie in the run's folder), or set model.init_from to "
            "null to start from scratch."
        )


def initialise(model: Network, path: str) -> str:
    """Starts a model from another one's weights.

    Weights are matched by name. Where two differ only in the size of the vocabulary, the rows of
    tokens that both know are copied.

    Args:
        model: bound to its own vocabulary.
        path: checkpoint of the other model.

    Returns:
        What was loaded, what was new and what was left, for a person to read.

    Raises:
        Im2TexError: if the checkpoint is missing or unreadable, or nothing in it fits.
    """
    require_start(path)
    checkpoint = load(path)
    theirs: dict[str, Tensor] = checkpoint["state_dict"]
    known = checkpoint["hyper_parameters"]["vocabulary"]
    numbers = {token: 4 + k for k, token in enumerate(known)}
    pairs = [(k, k) for k in range(4)] + [
        (mine, numbers[token]) for mine, token in enumerate(model.words.tokens) if token in numbers
    ]
    rows = 4 + len(known)
    for name in (f"decoder.{one}" for one in model.ready.by_token):
        if name in theirs and (not theirs[name].ndim or len(theirs[name]) != rows):
            raise Im2TexError(
                f"{path}: weight {name} has shape {tuple(theirs[name].shape)}, but its vocabulary "
                f"needs {rows} rows. The file is damaged: take another checkpoint."
            )
    to, origin = (torch.tensor(side) for side in zip(*pairs, strict=True))
    by_token = {f"decoder.{name}" for name in model.ready.by_token}
    loaded, mapped, new = [], [], []
    ours = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, value in ours.items():
            other = theirs.get(name)
            if name in by_token:
                # Equal sizes say nothing here: two vocabularies may differ in their tokens alone.
                if other is None or other.shape[1:] != value.shape[1:]:
                    new.append(name)
                    continue
                value[to] = other[origin].to(value)
                mapped.append(name)
            elif (
                other is not None
                and other.shape == value.shape
                and other.is_floating_point() == value.is_floating_point()
            ):
                value.copy_(other)
                loaded.append(name)
            else:
                new.append(name)
    if not loaded:
        raise Im2TexError(
            f"model.init_from: no weight of {path} fits this model; are encoder, decoder and "
            "their arguments those it was trained with?"
        )
    left = [name for name in theirs if name not in ours or name in new]
    fresh = [token for token in model.words.ordinary if token not in numbers]
    return "\n".join(
        [
            f"Started from {path}: {len(loaded)} weights by name, {len(mapped)} token by token.",
            f"  new: {', '.join(new) or 'none'}",
            f"  left: {', '.join(left) or 'none'}",
            f"  tokens not known there ({len(fresh)}): {' '.join(fresh) or 'none'}",
        ]
    )
