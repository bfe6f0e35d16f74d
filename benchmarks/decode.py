"""Measures beam search of a batch against one image at a time.

    python benchmarks/decode.py                          # crohme_small's sizes, untrained
    python benchmarks/decode.py --config configs/crohme_finetune.yaml
    python benchmarks/decode.py data/crohme/test_2014.parquet --checkpoint best.ckpt

Without a checkpoint the weights are random, and every hypothesis is forced to end at the length of
its label, so that the work is that of a trained model. Encoding is timed separately. Both methods
search the same images in turns; the best pass counts. The number of equal predictions is printed
(predictions differ where two scores differ by less than rounding errors). Processor time with one
thread, wall time with several threads or a GPU. Peak memory is that of the process (on a GPU: of
PyTorch) beyond what it held before; Linux only.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from header import begin
from numpy.typing import NDArray
from torch import Tensor

from im2tex import Im2Tex
from im2tex.data.bucketing import BatchLimits, bucket_by_size, padding_ratio
from im2tex.data.dataset import Batch, stack
from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.data.sources.grammar import synthesize_ink
from im2tex.data.store import Split
from im2tex.decoders import Hypothesis, SearchOptions
from im2tex.decoders.beam_search import StepwiseDecoder, beam_search
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.grid import Grid
from im2tex.ink.ink import Ink
from im2tex.latex.vocabulary import EOS

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class ForcedState:
    """The state of a `ForcedLengthDecoder`: the decoder's state, the lengths (B,), and the step."""

    inner: Any
    ends: Tensor
    step: int


class ForcedLengthDecoder:
    """A decoder whose hypotheses end at given lengths."""

    def __init__(self, decoder: StepwiseDecoder) -> None:
        self.decoder = decoder

    def step(self, tokens: Tensor, state: ForcedState) -> tuple[Tensor, ForcedState]:
        """See `StepwiseDecoder.step`."""
        log_p, inner = self.decoder.step(tokens, state.inner)
        over = (state.ends <= state.step).view(-1, 1)
        log_p[:, :, EOS] = log_p[:, :, EOS].masked_fill(~over, float("-inf"))
        log_p[:, :, EOS + 1 :] = log_p[:, :, EOS + 1 :].masked_fill(over.unsqueeze(2), -1e9)
        return log_p, replace(state, inner=inner, step=state.step + 1)

    def reorder(self, state: ForcedState, parents: Tensor) -> ForcedState:
        """See `StepwiseDecoder.reorder`."""
        return replace(state, inner=self.decoder.reorder(state.inner, parents))

    def select(self, state: ForcedState, images: Tensor) -> ForcedState:
        """See `StepwiseDecoder.select`."""
        inner = self.decoder.select(state.inner, images)
        return replace(state, inner=inner, ends=state.ends[images])


def model_of(args: argparse.Namespace, labels: Sequence[Tokens]) -> Im2Tex:
    if args.checkpoint:
        return Im2Tex.load_from_checkpoint(args.checkpoint, map_location="cpu")
    settings = yaml.safe_load(args.config.read_text())["model"]
    settings.pop("init_from", None)
    known = sorted({token for label in labels for token in label})
    # A vocabulary as large as CROHME's: the softmax is part of the work.
    known += [f"token{k}" for k in range(max(0, 110 - len(known)))]
    torch.manual_seed(0)
    return Im2Tex(vocabulary=known, **settings)


def inks(store: Path | None, count: int) -> tuple[list[Ink], list[Tokens]]:
    if store is not None:
        split = Split(store)
        chosen = [split[i] for i in np.linspace(0, len(split) - 1, count).astype(int)]
        drawable = [sample for sample in chosen if sample.ink is not None]
        inks = [sample.ink for sample in drawable if sample.ink]
        return inks, [sample.tokens for sample in drawable]
    rng = np.random.default_rng(0)
    grammar = RandomGrammar(
        "0 1 2 3 4 a b c x y z + - = ( ) \\frac \\sqrt ^ _ \\sum \\sin", 2, 5, 50
    )
    labels: list[Tokens] = []
    while len(labels) < count:
        tokens = grammar.formula(rng)
        if tokens is not None:
            labels.append(tokens)
    return [synthesize_ink(tokens, rng) for tokens in labels], labels


def memory(device: torch.device, *, reset: bool = False) -> float:
    """Returns the peak memory since the last reset, MB."""
    if device.type == "cuda":
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 1e6
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+)", status)
    return int(match[1]) / 1e3 if match else float("nan")


class TimedPrediction:
    """Predicts images in batches of a maximum size, grouped by size as in a test."""

    def __init__(
        self,
        model: Im2Tex,
        images: list[NDArray[np.uint8]],
        labels: list[Tokens],
        options: SearchOptions,
        forced: bool,
        clock: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.model, self.images, self.options, self.forced = model, images, options, forced
        self.ends = torch.tensor([len(label) for label in labels], device=model.device)
        self.sizes = np.array(
            [(*image.shape, len(label)) for image, label in zip(images, labels, strict=True)]
        )

    def __call__(self, size: int) -> tuple[list[list[int]], float, float]:
        """Returns the best hypothesis of every image, and seconds of encoding and searching."""
        found: dict[int, list[int]] = {}
        encoding = searching = 0.0
        for chosen in self.batches(size):
            parts = stack([self.images[i] for i in chosen])
            device = self.model.device
            names = [str(i) for i in chosen]
            begun = self._now()
            grid = self.model.recognizer.encode(
                Batch(names, parts["images"].to(device), parts["sizes"].to(device), [()])
            )
            encoded = self._now()
            for i, hypotheses in zip(chosen, self._search(grid, chosen), strict=True):
                found[i] = hypotheses[0].tokens
            encoding += encoded - begun
            searching += self._now() - encoded
        return [found[i] for i in range(len(self.images))], encoding, searching

    def batches(self, size: int) -> list[list[int]]:
        """Returns the indices of the images of each batch."""
        budget = BatchLimits(size, pixels=1_200_000, tokens=1_000_000)  # the pixels of a test
        batches = bucket_by_size(range(len(self.images)), self.sizes, budget)
        return [batch.tolist() for batch in batches]

    def _now(self) -> float:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return self.clock()

    def _search(self, grid: Grid, chosen: list[int]) -> list[list[Hypothesis]]:
        decoder = self.model.recognizer.require_decoder()
        if not self.forced:
            return decoder.search(grid, self.options)
        assert isinstance(decoder, LSTMDecoder)
        state = ForcedState(decoder.start(grid), self.ends[chosen], 0)
        return beam_search(
            ForcedLengthDecoder(decoder), state, len(chosen), self.options, grid.features.device
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("store", type=Path, nargs="?", help="a split with ink")
    parser.add_argument("--config", type=Path, default=Path("configs/crohme_small.yaml"))
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--passes", type=int, default=3)
    args = begin(parser)
    device = args.device
    drawn, labels = inks(args.store, args.images)
    model = model_of(args, labels).to(device).eval()
    images = [model.preprocessing.rasterize(ink).image for ink in drawn]
    read = TimedPrediction(
        model, images, labels, SearchOptions(args.beam), not args.checkpoint, args.clock.now
    )
    height, width = np.array([image.shape for image in images]).mean(0)
    print(
        f"{len(images)} images of {args.store or 'the built-in handwriting'}, {height:.0f} x "
        f"{width:.0f} pixels and {np.mean([len(label) for label in labels]):.1f} tokens on average"
    )
    print(
        f"{args.checkpoint or args.config}, beam {args.beam}, {device}, {args.threads} thread(s), "
        f"{args.clock.name}\n"
    )
    ways = {"one at a time": 1, f"batches of {args.batch}": args.batch}
    seconds = {name: np.full(2, np.inf) for name in ways}
    peak = dict.fromkeys(ways, 0.0)
    texts: dict[str, list[list[int]]] = {}
    with torch.inference_mode():
        for size in ways.values():
            read(size)  # the first call compiles kernels for each new size
        for _ in range(args.passes):
            for name, size in ways.items():
                before = memory(device, reset=True)
                texts[name], *spent = read(size)
                seconds[name] = np.minimum(seconds[name], spent)
                peak[name] = max(peak[name], memory(device) - before)
    batches = read.batches(args.batch)
    print(
        f"{len(batches)} batches, {padding_ratio(batches, read.sizes):.2f} pixels per image pixel"
    )
    print(f"{'images/s':<18}{'encoded':>9}{'searched':>10}{'both':>9}{'peak MB':>9}")
    for name, took in seconds.items():
        encoded, searched, both = len(images) / np.append(took, took.sum())
        print(f"{name:<18}{encoded:>9.1f}{searched:>10.1f}{both:>9.1f}{peak[name]:>9.0f}")
    one, many = (np.append(took, took.sum()) for took in seconds.values())
    _, searched, both = one / many
    same = sum(a == b for a, b in zip(*texts.values(), strict=True))
    print(
        f"\nbatched, the search is {searched:.1f}x as fast, all of it {both:.1f}x; "
        f"{same} of {len(images)} predictions are equal"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
