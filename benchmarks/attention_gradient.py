"""Measures a training step with the accumulated gradient of the grid against plain autograd.

    python benchmarks/attention_gradient.py
    python benchmarks/attention_gradient.py --device cuda --passes 20

Plain autograd makes a gradient as large as the grid at every step of the decoder, twice, and sums
them; the accumulated gradient is made once (see `im2tex/attention/gradient_accumulation.py`).
The timed work is a decoder's loss and its backward pass down to the grid, at the sizes of two
configurations, with both implementations in turns on the same values; the best pass counts.
Processor time with one thread, wall time with several threads or a GPU. The gradients are compared.
Peak memory is that of the process (on a GPU: of PyTorch) beyond what it held before; Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from header import begin
from torch import Tensor

from im2tex.attention.standard import StandardAttention, StandardMemory
from im2tex.decoders import Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.grid import Grid


@dataclass(frozen=True)
class Job:
    """Sizes of a batch: images, grid, steps, widths of grid and LSTM, of the embedding."""

    name: str
    images: int
    cells: tuple[int, int]
    tokens: int
    width: int
    lstm: int
    embedding_dim: int


JOBS = [
    Job(
        "crohme_small", images=24, cells=(10, 24), tokens=25, width=192, lstm=256, embedding_dim=64
    ),
    Job(
        "crohme_finetune",
        images=20,
        cells=(10, 30),
        tokens=30,
        width=512,
        lstm=512,
        embedding_dim=80,
    ),
    Job("the paper's", images=20, cells=(8, 48), tokens=80, width=512, lstm=512, embedding_dim=80),
]


class Plain(StandardAttention):
    """The same attention with its gradient left to autograd."""

    def prepare(self, grid: Grid) -> StandardMemory:
        """Returns the features without a custom gradient."""
        memory = super().prepare(grid)
        cells = replace(
            memory.cells, features=grid.features.flatten(1, 2), accumulated_gradient=None
        )
        return replace(memory, cells=cells)


def peak(device: torch.device, *, reset: bool = False) -> float:
    """Returns the peak memory since the last reset, MB."""
    if device.type == "cuda":
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 1e6
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    match = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(match[1]) / 1e3 if match else float("nan")


class TrainingStep:
    """The training step of a job, with either attention."""

    def __init__(self, job: Job, dtype: torch.dtype, device: torch.device) -> None:
        torch.manual_seed(0)
        self.dtype, self.device = dtype, device
        self.decoder = LSTMDecoder(
            111, "standard", {}, job.width, hidden_size=job.lstm, embedding_dim=job.embedding_dim
        ).to(device)
        features = torch.randn(job.images, *job.cells, job.width, device=device)
        self.features = features.to(dtype).requires_grad_()
        self.mask = torch.ones(job.images, *job.cells, dtype=torch.bool, device=device)
        tokens = torch.randint(4, 111, (job.images, job.tokens), device=device)
        self.targets = Targets(tokens)

    def __call__(self, kind: type[StandardAttention]) -> Tensor:
        """Runs a step and returns the gradient of the grid."""
        self.decoder.attention.__class__ = kind
        self.decoder.zero_grad()
        self.features.grad = None
        amp = torch.autocast(self.device.type, torch.bfloat16)
        with amp if self.dtype == torch.bfloat16 else contextlib.nullcontext():
            loss, _ = self.decoder.loss(Grid(self.features, self.mask, (8, 8)), self.targets)
        torch.autograd.backward(loss)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        assert self.features.grad is not None
        return self.features.grad.float()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--passes", type=int, default=5)
    args = begin(parser)
    device, clock = args.device, args.clock.now
    print(
        f"forward and backward pass of decoder and attention, {device}, {args.threads} thread(s), "
        f"{args.clock.name}\n"
    )
    print(
        f"{'sizes':<17}{'precision':<11}{'plain ms':>9}{'accumulated ms':>15}{'ratio':>7}"
        f"{'plain MB':>9}{'accumulated MB':>15}{'difference':>15}"
    )
    ways = {"plain": Plain, "accumulated": StandardAttention}
    for job in JOBS:
        for dtype in (torch.float32, torch.bfloat16):
            step = TrainingStep(job, dtype, device)
            seconds = dict.fromkeys(ways, float("inf"))
            most = dict.fromkeys(ways, 0.0)
            gradients = {name: step(kind) for name, kind in ways.items()}
            for _ in range(args.passes):
                for name, kind in ways.items():
                    gc.collect()
                    before = peak(device, reset=True)
                    begun = clock()
                    step(kind)
                    seconds[name] = min(seconds[name], clock() - begun)
                    most[name] = max(most[name], peak(device) - before)
            apart = (gradients["plain"] - gradients["accumulated"]).norm() / gradients[
                "plain"
            ].norm()
            print(
                f"{job.name:<17}{str(dtype)[6:]:<11}{seconds['plain'] * 1e3:>9.0f}"
                f"{seconds['accumulated'] * 1e3:>15.0f}"
                f"{seconds['plain'] / seconds['accumulated']:>6.1f}x"
                f"{most['plain']:>9.0f}{most['accumulated']:>15.0f}{float(apart):>15.1e}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
