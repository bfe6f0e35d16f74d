"""Atomic writing of checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from im2tex.model.checkpoint import read_file
from im2tex.utils.files import atomic_write, wrap_os_errors


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file in its folder, and then renames it.

    Lightning writes to the system's temporary folder. If that is on another file system, it copies
    the file, and an interruption or a full disk destroys the earlier checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Writes a checkpoint; after an error the earlier file is unchanged.

        Raises:
            Im2TexError: if the file cannot be written.
        """
        path = Path(path)
        advice = (
            "The previous checkpoint is unchanged: free disk space, then resume from it with "
            "--ckpt_path."
        )
        # torch.save raises RuntimeError when its own writer fails.
        with (
            wrap_os_errors(f"write the checkpoint {path}", advice, (OSError, RuntimeError)),
            atomic_write(path) as part,
        ):
            torch.save(checkpoint, part)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> Any:
        """Reads a checkpoint without running code from it; `weights_only` is ignored.

        Raises:
            Im2TexError: if the file cannot be read.
        """
        return read_file(Path(path))
