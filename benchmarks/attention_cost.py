"""What a step of attention costs: the coarse-to-fine attentions against standard attention.

    python benchmarks/attention_cost.py
    python benchmarks/attention_cost.py --quick
    python benchmarks/attention_cost.py --device cuda --precision bfloat16

Four tables, on random features of the paper's widths, all in the same run.

*A step*, without gradients, on grids from 40 x 8 to 480 x 160 cells with the paper's blocks of
4 x 4: time, features looked at, memory that the step takes for itself at its peak, and look-ups.
The coarse scores are scaled so that sparsemax finds the paper's 4.6 blocks a query on average.
*Growth*: the hard attention's step where the side of a block grows as the square root of the
grid's side, so that coarse and fine look-ups balance and grow as the square root of the cells.
*Decoding*: greedy search, the LSTM and the layout of the grid included, at a fixed number of
tokens. *Training*: a decoder's loss and its backward pass down to both grids.

Times are the best of several; one thread by its processor time, or more of them, or a GPU, by the
clock. Grids beyond --memory are left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from im2tex.attention import ATTENTIONS, Attention
from im2tex.attention.sparsemax import sparsemax
from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.grid import Grid
from im2tex.latex.vocabulary import EOS

WIDTH = 512
SUPPORT = 74 / 16
"""Blocks a query that the paper's sparsemax looks at: its 74 fine look-ups (table 4)."""
KINDS = ["standard", "coarse_only", "hierarchical", "sparsemax", "hard"]
SIZES = [(40, 8), (60, 20), (120, 40), (240, 80), (480, 160)]
"""Cells, width by height."""


@dataclass(frozen=True)
class Machine:
    """Where and how to measure."""

    device: torch.device
    dtype: torch.dtype
    threads: int
    seconds: float

    def best(self, run: Callable[[], Any]) -> float:
        """Seconds of the best of several runs, after a first one that does not count."""
        one = self.device.type == "cpu" and self.threads == 1
        clock = time.process_time if one else time.perf_counter
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
        """Lets a GPU finish."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class Peak(TorchDispatchMode):
    """Bytes of the tensors made inside and alive at a time, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {leaf.untyped_storage().data_ptr() for leaf in tensors((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for one in tensors(made):
            storage = one.untyped_storage()
            place = storage.data_ptr()
            if place in before or place in self._known or not place:
                continue  # a view, or written in place
            self._known.add(place)
            self._now += storage.nbytes()
            self.most = max(self.most, self._now)
            weakref.finalize(one, self._gone, place, storage.nbytes())
        return made

    def _gone(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def grid_of(batch: int, size: tuple[int, int], block: int, machine: Machine) -> Grid:
    """Random cells; every image of a batch has the same ones, in memory of its own."""
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
    """Of both levels, and of one image's made first."""
    return (batch + 1) * size[0] * size[1] * 17 / 16 * WIDTH * machine.dtype.itemsize / 1e9


def steps(
    sizes: list[tuple[int, int]], batches: list[int], beam: int, memory: float, at: Machine
) -> None:
    print(
        f"A step of attention, {beam} quer{'y' if beam == 1 else 'ies'} an image, blocks of 4 x 4; "
        "ratios against standard attention\n"
    )
    print(
        f"{'cells':<9}{'batch':>6}  {'attention':<13}{'ms':>9}{'ratio':>8}{'MB seen':>10}"
        f"{'ratio':>9}{'MB taken':>10}{'ratio':>8}{'#C':>7}{'#F':>9}"
    )
    slower = []
    for size in sizes:
        for batch in batches:
            name = f"{size[0]}x{size[1]}"
            needed = features_gb(batch, size, at)
            if needed > memory:
                print(f"{name:<9}{batch:>6}  left out: its features alone hold {needed:.1f} GB")
                continue
            grid = grid_of(batch, size, 4, at)
            query = torch.randn(batch, beam, WIDTH, device=at.device, dtype=at.dtype)
            base: tuple[float, float, int] | None = None
            for kind in KINDS:
                attention = attention_of(kind, at)
                if kind not in ("standard", "coarse_only"):
                    scale(attention, query, grid)
                held = attention.prepare(grid)
                seconds = at.best(partial(attention, query, held, None))
                with Peak() as peak:
                    glimpse = attention(query, held, None)
                coarse = glimpse.coarse_lookups.mean().item()
                fine = glimpse.fine_lookups.mean().item()
                seen = batch * beam * (coarse + fine) * WIDTH * at.dtype.itemsize
                base = base or (seconds, seen, peak.most)
                if kind != "standard" and seconds > base[0]:
                    slower.append(f"{kind} at {name}, batch {batch}")
                print(
                    f"{name:<9}{batch:>6}  {kind:<13}{seconds * 1e3:>9.3f}"
                    f"{base[0] / seconds:>7.1f}x{seen / 1e6:>10.2f}{base[1] / seen:>8.1f}x"
                    f"{peak.most / 1e6:>10.3f}{base[2] / peak.most:>7.2f}x"
                    f"{coarse:>7.0f}{fine:>9.1f}"
                )
            del grid, held
    print(f"\nSlower than standard attention: {'; '.join(slower) or 'none'}.\n")


def growth(sizes: list[tuple[int, int]], batch: int, memory: float, at: Machine) -> None:
    print(f"Hard attention with a growing block, batch {batch}\n")
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
        query = torch.randn(batch, 1, WIDTH, device=at.device, dtype=at.dtype)
        seconds = []
        for kind in ("standard", "hard"):
            attention = attention_of(kind, at)
            held = attention.prepare(grid)
            seconds.append(at.best(partial(attention, query, held, None)))
            glimpse = attention(query, held, None)
        looked = glimpse.coarse_lookups.mean().item() + block**2  # of a block within the grid
        print(
            f"{size[0]}x{size[1]:<9}"[:9] + f"{block:>6}{looked:>10.0f}{2 * cells**0.5:>15.0f}"
            f"{seconds[1] * 1e3:>9.3f}{seconds[0] * 1e3:>13.3f}{seconds[0] / seconds[1]:>7.1f}x"
        )
        del grid, held
    print()


def decoding(sizes: list[tuple[int, int]], batch: int, tokens: int, at: Machine) -> None:
    print(f"Greedy decoding of {tokens} tokens, batch {batch}: LSTM, attention and search\n")
    print(f"{'cells':<9}" + "".join(f"{kind:>21}" for kind in KINDS))
    for size in sizes:
        grid = grid_of(batch, size, 4, at)
        line = f"{size[0]}x{size[1]}".ljust(9)
        base = None
        for kind in KINDS:
            torch.manual_seed(0)
            decoder = LSTMDecoder(500, kind, {}, WIDTH, WIDTH).to(at.device, at.dtype).eval()
            decoder.output.bias[EOS] = -1e4  # goes on to the end
            if kind not in ("standard", "coarse_only"):
                query = torch.randn(batch, 1, WIDTH, device=at.device, dtype=at.dtype)
                # The states of an untrained LSTM are a tenth as large as these queries.
                scale(decoder.attention, query / 10, grid)
            options = SearchOptions(beam_size=1, max_length=tokens)
            seconds = at.best(partial(decoder.search, grid, options))
            looked = statistics.mean(
                one[0].lookups[1] / one[0].steps for one in decoder.search(grid, options)
            )
            base = base or seconds
            line += f"{seconds * 1e3:>8.0f} ms {base / seconds:>4.1f}x{looked:>5.0f}"
        print(line)
        del grid
    print("\n(milliseconds in all, ratio to standard, fine look-ups a step)\n")


def training(sizes: list[tuple[int, int]], batch: int, tokens: int, at: Machine) -> None:
    print(f"Training: loss and gradients, {tokens} tokens, batch {batch}\n")
    print(f"{'cells':<9}" + "".join(f"{kind:>17}" for kind in KINDS))
    for size in sizes:
        grid = grid_of(batch, size, 4, at)
        assert grid.coarse is not None
        grid.features.requires_grad_()
        grid.coarse.features.requires_grad_()
        targets = Targets(torch.randint(4, 500, (batch, tokens), device=at.device))
        line = f"{size[0]}x{size[1]}".ljust(9)
        base = None
        for kind in KINDS:
            torch.manual_seed(0)
            decoder = LSTMDecoder(500, kind, {}, WIDTH, WIDTH).to(at.device, at.dtype).train()

            def step(decoder: LSTMDecoder = decoder, grid: Grid = grid) -> None:
                with torch.enable_grad():
                    loss, _ = decoder.loss(grid, targets)  # noqa: B023 - the same for all
                    torch.autograd.backward(loss)

            seconds = at.best(step)
            base = base or seconds
            line += f"{seconds * 1e3:>9.0f} ms {base / seconds:>4.1f}x"
        print(line)
        del grid, step
    print("\n(milliseconds, ratio to standard)")


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="grids of up to 120 x 40, batch 8")
    parser.add_argument("--memory", type=float, default=8.0, help="GB of features at most")
    parser.add_argument("--beam", type=int, default=1, help="queries an image in the first table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    at = Machine(
        torch.device(args.device),
        getattr(torch, args.precision),
        args.threads,
        0.02 if args.quick else 0.5,
    )
    sizes, batch = (SIZES[:3], 8) if args.quick else (SIZES, 32)
    print(f"{args.device}, {args.threads} thread(s), {args.precision}, {WIDTH} features\n")
    steps(sizes, [1, batch], args.beam, args.memory, at)
    growth(sizes, 1, args.memory, at)
    decoding(SIZES[:3], batch, 10 if args.quick else 30, at)
    training([(48, 8), (60, 20)], 4 if args.quick else 20, 10 if args.quick else 20, at)
    return 0


if __name__ == "__main__":
    sys.exit(main())
