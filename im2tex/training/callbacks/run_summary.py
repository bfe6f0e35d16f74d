"""What a run is about to do, in a few lines at its start, and how long it will take."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

_SETTLE = 5  # steps before the clock starts: kernels are compiled and buffers made in them
_TIMED = 20


class RunSummary(Callback):
    """Prints parameters, vocabulary, samples kept and dropped and padding at the start of a run.

    After a few training steps it adds the estimated time of an epoch and the memory in use.
    """

    def __init__(self) -> None:
        self._started = 0.0
        self._steps = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describes model and training data."""
        self._steps = 0
        self._say(trainer, pl_module, "train")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Describes model and test data."""
        self._say(trainer, pl_module, "test")

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Times the first steps."""
        self._steps += 1
        if self._steps == _SETTLE:
            self._started = time.monotonic()
        elif self._steps == _SETTLE + _TIMED and trainer.is_global_zero:
            step = (time.monotonic() - self._started) / _TIMED
            batches = trainer.num_training_batches
            print(
                f"  about {step * batches / 60:.1f} min an epoch ({batches} batches, "
                f"{step:.2f} s each), {_memory(pl_module.device)}",
                flush=True,
            )

    def _say(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        size = sum(p.numel() for p in module.parameters())
        vocabulary = getattr(module, "vocabulary", None)
        lines = [
            f"{stage}: {size / 1e6:.2f} M parameters"
            + (f", vocabulary of {len(vocabulary)}" if vocabulary is not None else "")
            + f", on {trainer.num_devices} x {module.device.type}, precision {trainer.precision}"
        ]
        data: Any = getattr(trainer, "datamodule", None)
        if stage == "train" and vocabulary is not None and module.hparams.get("min_count", 1) > 1:
            rare = [
                token for one in data.training_labels() for token in one if token not in vocabulary
            ]
            lines.append(
                f"  {len(set(rare))} rarer tokens, seen {len(rare)} times in all, became <unk>"
            )
        kept: Mapping[str, Any] = getattr(data, "statistics", {})
        lines += [f"  {name}: {_kept(one)}" for name, one in kept.items()]
        print("\n".join(lines), flush=True)


def _kept(one: Any) -> str:
    text = f"{one.used:,} of {one.total:,} samples"
    if one.dropped:
        text += " (dropped: " + ", ".join(f"{n} {why}" for why, n in one.dropped.items()) + ")"
    if one.downscaled:
        text += f", {one.downscaled} made smaller to fit the image limits"
    if one.padding_ratio == one.padding_ratio:  # known, so no nan
        text += f", {one.padding_ratio:.2f} padded pixels for each true one"
    return text


def _memory(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB on the GPU"
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{peak / 2**30:.1f} GiB of memory at most so far"
