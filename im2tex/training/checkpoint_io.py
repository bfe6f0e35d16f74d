"""Writing of checkpoints that keeps the earlier file until the new one is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from im2tex.model.checkpoint import read_file
from im2tex.utils.files import atomic_write, wrap_os_errors


class AtomicCheckpointIO(TorchCheckpointIO):
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
        advice = (
            "The previous checkpoint is unchanged: make room, then resume from it with --ckpt_path."
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
        """Reads; whatever is asked for, nothing of the file is run.

        Raises:
            Im2TexError: if it cannot be read.
        """
        return read_file(Path(path))
