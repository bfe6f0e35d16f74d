"""Measures a step of the coarse-to-fine attentions against a step of standard attention.

    python benchmarks/attention_cost.py
    python benchmarks/attention_cost.py --quick
    python benchmarks/attention_cost.py --device cuda --precision bfloat16

Prints three tables, on random features of the paper's widths, measured in the same run.
`attention_prediction.py` measures whole predictions and training steps.

*A step*, without gradients, on grids from 40 x 8 to 480 x 160 cells with the paper's blocks of
4 x 4, for one query per image and for a beam of 5: time, peak memory that PyTorch's allocator gives
to the step (with its result, without the grid), and look-ups as in the paper's table 4. The coarse
scores are scaled so that sparsemax selects the paper's 4.6 blocks per query on average.
*Growth*: a step of hard attention where the side of a block grows as the square root of the grid's
side, so that coarse and fine look-ups balance and grow as the square root of the number of cells.
*Gather cost*: time per cell that sparsemax gathers, relative to the time per cell of attention over
the whole grid (`im2tex.attention.sparse.GATHER_COST` decides between the two).

Times are the best of several runs: processor time with one thread, wall time with several threads
or a GPU. Grids whose features exceed --memory are skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from header import Clock, begin
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from im2tex.attention import ATTENTIONS, Attention
from im2tex.attention.coarse_to_fine import CoarseToFine
from im2tex.attention.hierarchical import full_attention
from im2tex.attention.sparse import GATHER_COST, gathered_attention
from im2tex.attention.sparsemax import sparsemax
from im2tex.grid import Grid

WIDTH = 512
SUPPORT = 74 / 16
"""Blocks per query that the paper's sparsemax attends to: its 74 fine look-ups (table 4)."""
KINDS = ["standard", "coarse_only", "hierarchical", "sparsemax", "hard"]
SIZES = [(40, 8), (60, 20), (120, 40), (240, 80), (480, 160)]
"""Cells, width by height."""


@dataclass(frozen=True)
class Machine:
    """Device, precision, threads and duration of the measurements."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    seconds: float

    def best(self, run: Callable[[], Any]) -> float:
        """Returns the seconds of the best of several runs; a first run is not timed."""
        clock = Clock(self.device, self.threads).now
        found: list[float] = []
        for number in range(51):
            self.wait()
            begun = clock()
            run()
            self.wait()
            if number:
                found.append(clock() - begun)
            if len(found) >= 3 and sum(found) > self.seconds:
                break
        return min(found)

    def wait(self) -> None:
        """Waits until a GPU has finished."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def peak(self, run: Callable[[], Any]) -> int:
        """Returns the peak of the bytes that PyTorch allocates during a run."""
        if self.device.type == "cuda":
            held = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            run()
            return torch.cuda.max_memory_allocated() - held
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            kept = run()
        del kept
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder, "trace.json")
            profiler.export_chrome_trace(str(trace))
            events = json.loads(trace.read_text())["traceEvents"]
        given = [event for event in events if event["name"] == "[memory]"]
        held = most = 0
        for event in sorted(given, key=lambda event: event["ts"]):
            held += event["args"]["Bytes"]  # negative for freed memory
            most = max(most, held)
        return most


def grid_of(batch: int, size: tuple[int, int], block: int, machine: Machine) -> Grid:
    """Returns random features: the same for each image of a batch, in separate memory."""
    w, h = size

    def level(height: int, width: int, stride: int, coarse: Grid | None) -> Grid:
        features = torch.randn(1, height, width, WIDTH, device=machine.device, dtype=machine.dtype)
        mask = torch.ones(batch, height, width, dtype=torch.bool, device=machine.device)
        return Grid(features.repeat(batch, 1, 1, 1), mask, (stride, stride), coarse)

    return level(h, w, 8, level(-(-h // block), -(-w // block), 8 * block, None))


def attention_of(kind: str, machine: Machine) -> Attention:
    torch.manual_seed(0)
    built = ATTENTIONS.build(kind, {}, query_width=WIDTH, width=WIDTH, coarse_width=WIDTH)
    return built.to(machine.device, machine.dtype).eval()


def scale(attention: Attention, query: Tensor, grid: Grid) -> None:
    """Scales the coarse scores to the paper's mean support, or as near as the grid allows."""
    weight = attention.get_parameter("project_coarse.weight")
    coarse = attention.prepare(grid).coarse
    scores = coarse.scores(query @ weight.T)
    low, high = 1e-3, 1e3
    for _ in range(30):
        middle = (low * high) ** 0.5
        support = (sparsemax(middle * scores) > 0).sum(2).float().mean()
        low, high = (middle, high) if support > SUPPORT else (low, middle)
    weight.mul_(low)


def features_gb(batch: int, size: tuple[int, int], machine: Machine) -> float:
    """Returns the size of both levels' features, with one image's that they copy, GB."""
    return (batch + 1) * size[0] * size[1] * 17 / 16 * WIDTH * machine.dtype.itemsize / 1e9


def steps(
    sizes: list[tuple[int, int]], batches: list[int], beam: int, memory: float, at: Machine
) -> None:
    print(
        f"A step of attention, {beam} quer{'y' if beam == 1 else 'ies'} per image, "
        "blocks of 4 x 4; ratios are how many times less than standard attention\n"
    )
    print(
        f"{'cells':<9}{'batch':>6}  {'attention':<13}{'ms':>9}{'ratio':>8}{'peak MB':>10}"
        f"{'ratio':>8}{'#C':>7}{'#F':>9}"
    )
    slower, larger = [], []
    for size in sizes:
        for batch in batches:
            name = f"{size[0]}x{size[1]}"
            needed = features_gb(batch, size, at)
            if needed > memory:
                print(f"{name:<9}{batch:>6}  skipped: its features alone need {needed:.1f} GB")
                continue
            grid = grid_of(batch, size, 4, at)
            query = torch.randn(batch, beam, WIDTH, device=at.device, dtype=at.dtype)
            base: tuple[float, int] | None = None
            for kind in KINDS:
                attention = attention_of(kind, at)
                if kind not in ("standard", "coarse_only"):
                    scale(attention, query, grid)
                step = partial(attention, query, attention.prepare(grid), None)
                seconds, peak, attended = at.best(step), at.peak(step), step()
                coarse = attended.coarse_lookups.mean().item()
                fine = attended.fine_lookups.mean().item()
                base = base or (seconds, peak)
                if seconds > base[0]:
                    slower.append(f"{kind} at {name}, batch {batch}")
                if peak > base[1]:
                    larger.append(f"{kind} at {name}, batch {batch}")
                print(
                    f"{name:<9}{batch:>6}  {kind:<13}{seconds * 1e3:>9.3f}"
                    f"{base[0] / seconds:>7.1f}x{peak / 1e6:>10.3f}{base[1] / peak:>7.2f}x"
                    f"{coarse:>7.0f}{fine:>9.1f}",
                    flush=True,
                )
            del grid, step, attended
    print(f"\nSlower than standard attention: {'; '.join(slower) or 'none'}.")
    print(f"More memory than standard attention: {'; '.join(larger) or 'none'}.")
    print(
        f"A gathered block is {16 * WIDTH:,} numbers, a score of standard attention one: "
        "memory is saved\nwhere a batch has more scores than a few blocks have features.\n"
    )


def growth(sizes: list[tuple[int, int]], batch: int, memory: float, at: Machine) -> None:
    print(
        f"Hard attention with a growing block, batch {batch}; look-ups counted, the mean of 64 "
        "queries per image\n"
    )
    print(
        f"{'cells':<9}{'block':>6}{'look-ups':>10}{'2 sqrt(cells)':>15}{'ms':>9}"
        f"{'standard ms':>13}{'ratio':>8}"
    )
    for size in sizes:
        if features_gb(batch, size, at) > memory:
            continue
        cells = size[0] * size[1]
        block = round(cells**0.25)
        grid = grid_of(batch, size, block, at)
        queries = torch.randn(batch, 64, WIDTH, device=at.device, dtype=at.dtype)
        seconds = []
        for kind in ("standard", "hard"):
            attention = attention_of(kind, at)
            held = attention.prepare(grid)
            seconds.append(at.best(partial(attention, queries[:, :1], held, None)))
        attended = attention(queries, held, None)
        lookups = (attended.coarse_lookups + attended.fine_lookups).mean().item()
        print(
            f"{size[0]}x{size[1]:<9}"[:9] + f"{block:>6}{lookups:>10.0f}{2 * cells**0.5:>15.0f}"
            f"{seconds[1] * 1e3:>9.3f}{seconds[0] * 1e3:>13.3f}{seconds[0] / seconds[1]:>7.1f}x",
            flush=True,
        )
        del grid, held, attended
    if batch == 1:
        print("(a few tenths of a millisecond are the overhead of the calls)")
    print()


def gather_costs(sizes: list[tuple[int, int]], batch: int, at: Machine) -> None:
    print(
        f"Relative cost of a cell that sparsemax gathers, batch {batch}; "
        f"GATHER_COST is {GATHER_COST}\n"
    )
    print(f"{'cells':<9}{'queries':>8}{'gathered ms':>14}{'whole ms':>10}{'cells':>8}{'cost':>7}")
    for size in sizes:
        grid = grid_of(batch, size, 4, at)
        for beam in (1, 5, 10):
            attention = attention_of("sparsemax", at)
            assert isinstance(attention, CoarseToFine)
            query = torch.randn(batch, beam, WIDTH, device=at.device, dtype=at.dtype)
            scale(attention, query, grid)
            held = attention.prepare(grid)
            coarse, fine = attention.project_queries(query)
            choice = sparsemax(held.coarse.masked_scores(coarse))
            asking, blocks = choice.flatten(0, 1).nonzero(as_tuple=True)
            few = at.best(partial(gathered_attention, choice, fine, held, choice, asking, blocks))
            whole = at.best(partial(full_attention, choice, fine, held, choice))
            fraction = len(blocks) * 16 / (batch * size[0] * size[1])
            print(
                f"{size[0]}x{size[1]:<9}"[:9] + f"{beam:>8}{few * 1e3:>14.3f}{whole * 1e3:>10.3f}"
                f"{fraction:>8.1%}{few / fraction / whole:>7.2f}",
                flush=True,
            )
    print()


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="grids of up to 120 x 40, batch 8")
    parser.add_argument("--memory", type=float, default=8.0, help="GB of features at most")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5], help="queries an image")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    args = begin(parser)
    at = Machine(
        args.device,
        getattr(torch, args.precision),
        args.threads,
        0.02 if args.quick else 0.5,
    )
    sizes, batch = (SIZES[:3], 8) if args.quick else (SIZES, 32)
    print(f"{args.device}, {args.precision}, {WIDTH} features per cell\n")
    for beam in args.beams:
        steps(sizes, [1, batch], beam, args.memory, at)
    for images in (1, batch):
        growth(sizes, images, args.memory, at)
    for images in (1, batch):
        gather_costs(SIZES[:3], images, at)
    return 0


if __name__ == "__main__":
    sys.exit(main())
