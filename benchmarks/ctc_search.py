"""Measures batched CTC prefix search against the textbook algorithm in plain Python.

    python benchmarks/ctc_search.py
    python benchmarks/ctc_search.py --steps 252 --vocabulary 500 --tokens 60    # IM2LATEX's sizes

The emissions are generated: each image has a label whose tokens are probable at random time steps,
blanks elsewhere, and noise. Both implementations search the same emissions with the same beam, in
turns; the best pass counts. The number of equal best labels is printed (labels differ where the
probabilities of two prefixes differ by less than rounding errors). One thread, processor time. Peak
memory is that of the process beyond what it held before; Linux only.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from pathlib import Path

import torch
from header import announce
from torch import Tensor

from im2tex.decoders import SearchOptions
from im2tex.decoders.ctc_prefix_search import prefix_search
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK

EXCLUDED = (BOS, EOS, UNK)
NEVER = -math.inf

Beam = dict[tuple[int, ...], tuple[float, float]]


def emissions(images: int, steps: int, vocabulary: int, tokens: int) -> Tensor:
    """Returns log p (B, T, V), as peaked as that of a trained model."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, steps, vocabulary, generator=generator)
    logits[:, :, PAD] += 8.0
    for image in logits:
        places = torch.randperm(steps, generator=generator)[:tokens]
        drawn = torch.randint(4, vocabulary, (tokens,), generator=generator)
        image[places, drawn] += 5.0 + 6.0 * torch.rand(tokens, generator=generator)
    return logits.log_softmax(2)


def add(first: float, other: float) -> float:
    """Returns the logarithm of the sum of two probabilities, from their logarithms."""
    high, low = max(first, other), min(first, other)
    return high if low == NEVER else high + math.log1p(math.exp(low - high))


def textbook(log_p: list[list[float]], beam: int) -> list[int]:
    """Hannun et al. 2014, algorithm 1, for one image: dictionaries of prefixes."""
    beams: Beam = {(): (0.0, NEVER)}
    for line in log_p:
        letters = [(token, p) for token, p in enumerate(line) if token not in (PAD, *EXCLUDED)]
        grown: Beam = {}
        for prefix, (blank, token_p) in beams.items():
            total = add(blank, token_p)
            old = grown.get(prefix, (NEVER, NEVER))
            stay = add(old[1], token_p + line[prefix[-1]]) if prefix else old[1]
            grown[prefix] = add(old[0], total + line[PAD]), stay
            for token, p in letters:
                longer = (*prefix, token)
                old = grown.get(longer, (NEVER, NEVER))
                before = blank if prefix and prefix[-1] == token else total
                grown[longer] = old[0], add(old[1], before + p)
        beams = dict(sorted(grown.items(), key=lambda item: add(*item[1]), reverse=True)[:beam])
    return list(next(iter(beams)))


def memory(*, reset: bool = False) -> float:
    """Returns the peak memory since the last reset, MB."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    match = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(match[1]) / 1e3 if match else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=32, help="in one batch")
    parser.add_argument("--steps", type=int, default=60, help="of time")
    parser.add_argument("--vocabulary", type=int, default=110)
    parser.add_argument("--tokens", type=int, default=20, help="of a label")
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--passes", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    announce()
    log_p = emissions(args.images, args.steps, args.vocabulary, args.tokens)
    lengths = torch.full((args.images,), args.steps)
    lines = log_p.tolist()
    options = SearchOptions(args.beam, max_length=1_000)

    def batched() -> list[list[int]]:
        return [found[0].tokens for found in prefix_search(log_p, lengths, options, EXCLUDED)]

    def one_by_one() -> list[list[int]]:
        return [textbook(line, args.beam) for line in lines]

    ways = {"batched": batched, "textbook": one_by_one}
    seconds = dict.fromkeys(ways, math.inf)
    peak = dict.fromkeys(ways, 0.0)
    labels: dict[str, list[list[int]]] = {}
    for _ in range(args.passes):
        for name, search in ways.items():
            before, begun = memory(reset=True), time.process_time()
            labels[name] = search()
            seconds[name] = min(seconds[name], time.process_time() - begun)
            peak[name] = max(peak[name], memory() - before)
    print(
        f"{args.images} images, {args.steps} steps, {args.vocabulary} tokens, beam {args.beam}, "
        "one thread, processor time\n"
    )
    print(f"{'':<10}{'images/s':>17}{'peak MB':>9}")
    for name, took in seconds.items():
        print(f"{name:<10}{args.images / took:>17.1f}{peak[name]:>9.0f}")
    same = sum(a == b for a, b in zip(*labels.values(), strict=True))
    print(
        f"\nbatched, {seconds['textbook'] / seconds['batched']:.0f}x as fast; {same} of "
        f"{args.images} labels are the same"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
