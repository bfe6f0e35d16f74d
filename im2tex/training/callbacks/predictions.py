"""The JSON lines that `im2tex predict` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch.distributed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.training.access import formula_data
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.utils.files import write_text_atomic
from im2tex.utils.wording import counted


class WritePredictions(Callback):
    """Writes `SPLIT.jsonl`: `key`, `latex`, `tokens`, `score`, `finished`, `n_best`.

    Every sample has a line, in the order of the split. The prediction of a sample that failed to
    load is null. `latex` has the spaces that LaTeX needs; `tokens` are what metrics compare.

    Example:
        >>> Trainer(callbacks=[WritePredictions("predictions")]).predict(model, data)

    Args:
        folder: folder of the files; `predictions/` in the run's folder if not given.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self._lines: dict[int, dict[str, dict[str, Any]]] = {}

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes the lines of an earlier prediction."""
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
        """Collects the lines of a batch."""
        lines = self._lines.setdefault(dataloader_idx, {})
        lines |= {key: _line(key, prediction) for key, prediction in outputs}

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the files, on the first process.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        own = run_folder(trainer) or Path(trainer.default_root_dir)
        folder = Path(self.folder) if self.folder else own / "predictions"
        data = formula_data(trainer)
        for index, name in enumerate(data.predict_splits):
            lines = gather_dict(self._lines.get(index, {}))
            if trainer.is_global_zero:
                keys = [key for key in data.split(name).all_keys() if key in lines]
                path = folder / f"{name}.jsonl"
                text = "".join(json.dumps(lines[key], ensure_ascii=False) + "\n" for key in keys)
                write_text_atomic(path, text, "Choose another folder with --predictions.folder.")
                print(f"{counted(len(keys), 'prediction')} of {name}: {path}")


def gather_dict(own: dict[str, Any]) -> dict[str, Any]:
    """The union of the dictionaries of all processes, on each process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return own
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, own)
    return {key: value for part in parts for key, value in part.items()}


def _line(key: str, prediction: Any) -> dict[str, Any]:
    if prediction is None:
        return {"key": key, "latex": None, "tokens": None, "score": None, "n_best": []}
    return {
        "key": key,
        "latex": prediction.latex,
        "tokens": prediction.tokens,
        "score": prediction.score,
        "finished": prediction.finished,
        "n_best": [{"latex": latex, "score": score} for latex, score in prediction.n_best],
    }
