"""What `predict` writes: JSON lines, a file a split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.errors import Im2TexError
from im2tex.training.access import formula_data
from im2tex.training.callbacks.run_folder import run_folder


class WritePredictions(Callback):
    """Writes `SPLIT.jsonl`: `key`, `latex`, `tokens`, `score`, `finished`, `n_best`.

    Every sample has its line, in the order of the split. One that could not be read or drawn has
    null for its reading.

    Args:
        folder: where to; `predictions/` in the run's own folder if not given.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self._lines: dict[int, dict[str, dict[str, Any]]] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets an earlier run's."""
        self._lines = {}

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the lines of a batch."""
        lines = self._lines.setdefault(dataloader_idx, {})
        for key, reading in outputs:
            lines[key] = _line(key, reading)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files, on the first process.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        folder = Path(self.folder) if self.folder else None
        if folder is None:
            own = run_folder(trainer)
            folder = (own or Path(trainer.default_root_dir)) / "predictions"
        data = formula_data(trainer)
        for number, name in enumerate(data.predict_splits):
            lines = gather_dict(self._lines.get(number, {}))
            if trainer.is_global_zero:
                keys = [key for key in data.split(name).all_keys() if key in lines]
                _write(folder / f"{name}.jsonl", [lines[key] for key in keys])
                print(f"{len(keys):,} readings of {name}: {folder / f'{name}.jsonl'}")


def gather_dict(mine: dict[str, Any]) -> dict[str, Any]:
    """The entries of all processes of a distributed run, on each."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return mine
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, mine)
    return {key: value for part in parts for key, value in part.items()}


def _line(key: str, reading: Any) -> dict[str, Any]:
    if reading is None:
        return {"key": key, "latex": None, "tokens": None, "score": None, "n_best": []}
    return {
        "key": key,
        "latex": reading.latex,
        "tokens": reading.tokens,
        "score": reading.score,
        "finished": reading.finished,
        "n_best": [{"latex": latex, "score": score} for latex, score in reading.n_best],
    }


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Im2TexError(
            f"cannot write {path}: {error.strerror or error}. Choose another folder with "
            "--predictions.folder."
        ) from error
