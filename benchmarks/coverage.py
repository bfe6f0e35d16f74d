"""Measures coverage attention against an implementation of its equations term by term.

    python benchmarks/coverage.py
    python benchmarks/coverage.py --device cuda --images 32 --passes 10

WAP convolves the summed weights to 512 maps and multiplies these by a matrix, at every step and for
every cell; ours multiplies kernel and matrix once per image (see `im2tex/attention/coverage.py`).
The timed work is a decoder's loss with its backward pass, and a beam search of as many steps, with
both implementations in turns on the same weights; the best pass counts: processor time with one
thread, wall time on a GPU. "Kept" is the memory that autograd holds for the backward pass. The
results are compared.
"""

from __future__ import annotations

import argparse
import gc
import sys

import torch
from densenet import keeping
from header import begin
from torch import Tensor

from im2tex.attention.coverage import CoverageAttention, CoverageMemory
from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.grid import Grid


class Plain(CoverageAttention):
    """The same attention, with convolution and matrix applied one after the other."""

    def _coverage(self, state: Tensor, memory: CoverageMemory) -> Tensor:
        b, k, cells = state.shape
        maps = self.window(state.reshape(b * k, 1, *memory.size))  # (B K, q, h, w)
        mixed: Tensor = self.past(maps.flatten(2).transpose(1, 2))  # (B K, h w, A)
        return mixed.transpose(1, 2).reshape(b, k, -1, cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--passes", type=int, default=2)
    args = begin(parser)
    device, clock = args.device, args.clock.now
    torch.manual_seed(0)
    decoder = LSTMDecoder(111, "coverage", {}, 256, hidden_size=256, embedding_dim=256).to(device)
    shape = (args.images, args.rows, args.columns)
    grid = Grid(
        torch.randn(*shape, 256, device=device),
        torch.ones(shape, dtype=torch.bool, device=device),
        (16, 16),
    )
    targets = Targets(torch.randint(4, 111, (args.images, args.tokens), device=device))
    options = SearchOptions(args.beam, args.tokens)

    def train() -> Tensor:
        decoder.zero_grad()
        loss, _ = decoder.loss(grid, targets)
        torch.autograd.backward(loss)
        return torch.cat([parameter.grad.flatten() for parameter in decoder.parameters()])  # type: ignore[union-attr]

    def search() -> Tensor:
        return torch.tensor([best[0].log_probability for best in decoder.search(grid, options)])

    print(
        f"{args.images} grids of {args.rows} x {args.columns}, {args.tokens} tokens, beam "
        f"{args.beam}, {device}, 1 thread"
    )
    for job in (train, search):
        seconds = dict.fromkeys(("plain", "ours"), float("inf"))
        found, kept = {}, {}
        for _ in range(1 + args.passes):  # the first pass warms up
            for way in seconds:
                decoder.attention.__class__ = Plain if way == "plain" else CoverageAttention
                gc.collect()
                storages: dict[int, int] = {}
                begun = clock()
                with keeping(storages):
                    found[way] = job()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                seconds[way] = min(seconds[way], clock() - begun)
                kept[way] = sum(storages.values()) / 1e6
        apart = (found["plain"] - found["ours"]).norm() / found["plain"].norm()
        print(
            f"{job.__name__:<8}plain {seconds['plain'] * 1e3:.0f} ms, {kept['plain']:.0f} MB kept; "
            f"ours {seconds['ours'] * 1e3:.0f} ms, {kept['ours']:.0f} MB; "
            f"{seconds['plain'] / seconds['ours']:.1f} x; results differ by {float(apart):.1e}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
