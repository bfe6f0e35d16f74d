"""A summary of model and data at the start of a run, and the estimated time of an epoch."""

from __future__ import annotations

import math
import resource
import sys
import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.data.selection import SplitStatistics
from im2tex.utils.wording import counted

_WARMUP_STEPS = 5  # not timed: kernels are compiled and buffers allocated
_TIMED_STEPS = 20


class RunSummary(Callback):
    """Prints parameters, vocabulary, used and dropped samples, and padding at the start of a run.

    After 25 training steps it prints the estimated time of an epoch and the memory in use; after an
    epoch the number of samples that were replaced or downscaled, if any.
    """

    def __init__(self) -> None:
        self._start = 0.0
        self._steps = 0
        self._replaced: dict[str, str] = {}  # reasons by key
        self._downscaled = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the summary of model and training data."""
        self._steps = 0
        self._print_summary(trainer, pl_module, "train")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the summary of model and test data."""
        self._print_summary(trainer, pl_module, "test")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Times the first steps; counts replaced and downscaled samples."""
        self._replaced.update(getattr(batch, "replaced", {}))
        self._downscaled += getattr(batch, "downscaled", 0)
        self._steps += 1
        if self._steps == _WARMUP_STEPS:
            self._start = time.monotonic()
        elif self._steps == _WARMUP_STEPS + _TIMED_STEPS and trainer.is_global_zero:
            step = (time.monotonic() - self._start) / _TIMED_STEPS
            batches = counted(int(trainer.num_training_batches), "batch", "batches")
            print(
                f"  about {step * trainer.num_training_batches / 60:.1f} min an epoch ({batches}, "
                f"{step:.2f} s each), {_format_memory(pl_module.device)}",
                flush=True,
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the number of replaced and downscaled samples of all processes."""
        counts = torch.tensor(
            [len(self._replaced), self._downscaled], device=pl_module.device, dtype=torch.float32
        )
        replaced, downscaled = (int(n) for n in trainer.strategy.reduce(counts, reduce_op="sum"))
        if trainer.is_global_zero and (replaced or downscaled):
            parts = [f"  epoch {trainer.current_epoch}:"]
            if replaced:
                parts.append(f"{counted(replaced, 'unreadable sample')} replaced by others")
                parts += [f"({key}: {why})" for key, why in list(self._replaced.items())[:1]]
            if downscaled:
                parts.append(
                    f"{'and ' if replaced else ''}{counted(downscaled, 'image')} downscaled"
                )
                parts.append("to the size planned for their batch")
            print(" ".join(parts), flush=True)
        self._replaced, self._downscaled = {}, 0

    def _print_summary(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        # An ensemble is tested, and its first model trained.
        model = getattr(module, "predictor", module) if stage == "test" else module
        size = sum(p.numel() for p in model.parameters())
        vocabulary = getattr(module, "vocabulary", None)
        tokens = f", vocabulary of {len(vocabulary)}" if vocabulary is not None else ""
        lines = [
            f"{stage}: {size / 1e6:.2f} M parameters{tokens}, on {trainer.num_devices} x "
            f"{module.device.type}, precision {trainer.precision}"
        ]
        data: Any = getattr(trainer, "datamodule", None)
        if stage == "train" and vocabulary is not None and module.hparams.get("min_count", 1) > 1:
            counts = data.training_token_counts()
            rare = [count for token, count in counts.items() if token not in vocabulary]
            kinds = counted(len(rare), "rarer token")
            lines.append(f"  {kinds}, {counted(sum(rare), 'occurrence')}, became <unk>")
        statistics = getattr(data, "statistics", {})
        lines += [f"  {name}: {_format_split(split)}" for name, split in statistics.items()]
        print("\n".join(lines), flush=True)


def _format_split(split: SplitStatistics) -> str:
    text = f"{split.used:,} of {counted(split.total, 'sample')}"
    if split.dropped:
        text += f" (dropped: {', '.join(f'{n} {why}' for why, n in split.dropped.items())})"
    if split.downscaled:
        text += f", {split.downscaled} downscaled to fit the image limits"
    if not math.isnan(split.padding_ratio):
        text += f", {split.padding_ratio:.2f} padded pixels for each image pixel"
    return text


def _format_memory(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB on the GPU"
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{peak / 2**30:.1f} GiB of memory at most so far"
