"""Measures whole predictions and training steps with each attention.

    python benchmarks/attention_prediction.py
    python benchmarks/attention_prediction.py --quick
    python benchmarks/attention_prediction.py --device cuda --precision bfloat16

*Prediction*: the paper's encoder on random images, and beam search with LSTM and attention memory
on random features of the same size, for a fixed number of tokens. As many images are encoded at a
time as in `im2tex test`. Once with a beam, once greedily.
*Training*: a decoder's loss and its backward pass down to both grids.

Coarse scores are scaled so that sparsemax selects about the paper's 4.6 blocks per query; the
numbers of attended cells are printed. Times are the best of several runs: processor time with one
thread, wall time with several threads or a GPU. `attention_cost.py` measures single steps of
attention.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial

import torch
from attention_cost import KINDS, SIZES, WIDTH, Machine, grid_of, scale
from header import begin

from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.encoders import ENCODERS
from im2tex.grid import Grid
from im2tex.latex.vocabulary import EOS

PIXELS = 1_200_000
"""Pixels of a batch that `im2tex test` encodes."""


def encoding(size: tuple[int, int], batch: int, coarse: bool, at: Machine) -> float:
    """Returns the seconds to encode an image with a grid of a size in cells."""
    torch.manual_seed(0)
    encoder = ENCODERS.build("row_cnn", {"coarse": coarse}).to(at.device, at.dtype).eval()
    down, right = encoder.stride
    height, width = size[1] * down, size[0] * right
    together = max(1, min(batch, PIXELS // (height * width)))
    images = torch.rand(together, 1, height, width, device=at.device, dtype=at.dtype)
    mask = torch.ones(together, height, width, dtype=torch.bool, device=at.device)
    return at.best(partial(encoder, images, mask)) / together


def searching(
    kind: str, grid: Grid, options: SearchOptions, at: Machine
) -> tuple[float, float, float]:
    """Returns the seconds per image, and the coarse and fine look-ups per step."""
    torch.manual_seed(0)
    decoder = LSTMDecoder(500, kind, {}, WIDTH, WIDTH).to(at.device, at.dtype).eval()
    decoder.output.bias[EOS] = -1e4  # the search ends at the maximum length only
    batch = len(grid.features)
    if kind not in ("standard", "coarse_only"):
        query = torch.randn(batch, 1, WIDTH, device=at.device, dtype=at.dtype)
        # The states of an untrained LSTM are a tenth as large as these queries.
        scale(decoder.attention, query / 10, grid)
    found = [hypothesis[0] for hypothesis in decoder.search(grid, options)]
    coarse, fine = (
        statistics.mean((best.lookups or (0, 0))[level] / best.steps for best in found)
        for level in (0, 1)
    )
    return at.best(partial(decoder.search, grid, options)) / batch, coarse, fine


def prediction(
    sizes: list[tuple[int, int]], batch: int, beam: int, tokens: int, at: Machine
) -> None:
    print(
        f"Predictions of {tokens} tokens, beam {beam}, searched in batches of {batch}; "
        "milliseconds per image; ratios are speeds relative to standard attention\n"
    )
    print(
        f"{'cells':<9}{'attention':<13}{'encoded':>9}{'searched':>10}{'ratio':>7}{'total':>9}"
        f"{'ratio':>8}{'#C':>6}{'#F':>8}"
    )
    for size in sizes:
        encoded = {coarse: encoding(size, batch, coarse, at) for coarse in (False, True)}
        grid = grid_of(batch, size, 4, at)
        base: tuple[float, float] | None = None
        for kind in KINDS:
            begin = encoded[kind != "standard"]
            seconds, *lookups = searching(kind, grid, SearchOptions(beam, max_length=tokens), at)
            base = base or (seconds, begin + seconds)
            print(
                f"{size[0]}x{size[1]}".ljust(9) + f"{kind:<13}{begin * 1e3:>9.1f}"
                f"{seconds * 1e3:>10.2f}{base[0] / seconds:>6.1f}x{(begin + seconds) * 1e3:>9.1f}"
                f"{base[1] / (begin + seconds):>7.2f}x{lookups[0]:>6.0f}{lookups[1]:>8.1f}",
                flush=True,
            )
    print()


def training(sizes: list[tuple[int, int]], batch: int, tokens: int, at: Machine) -> None:
    print(f"Training a decoder: loss and gradients, {tokens} tokens, batch {batch}\n")
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
        print(line, flush=True)
        del grid, step
    print("\n(milliseconds, ratio to standard)")


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="batch 4, 10 tokens")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    args = begin(parser)
    seconds = 0.02 if args.quick else 0.5
    at = Machine(args.device, getattr(torch, args.precision), args.threads, seconds)
    batch, tokens = (4, 10) if args.quick else (args.batch, args.tokens)
    print(f"{args.device}, {args.precision}, the paper's sizes, a vocabulary of 500 tokens\n")
    for beam in dict.fromkeys((args.beam, 1)):
        prediction(SIZES[:3], batch, beam, tokens, at)
    training([(48, 8), (60, 20)], min(batch, 20), min(tokens, 20), at)
    return 0


if __name__ == "__main__":
    sys.exit(main())
