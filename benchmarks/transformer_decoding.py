r"""Measures the transformer decoder with and without caches, and its training.

    python benchmarks/transformer_decoding.py                       # densenet, CoMER's sizes
    python benchmarks/transformer_decoding.py --encoder row_cnn --images 64
    python benchmarks/transformer_decoding.py data/crohme/test_2014.parquet --images 986 \
        --only decoding --compared 4                                # a whole test

The baseline repeats an image's grid for every hypothesis of its beam and runs the decoder over the
whole prefix at every step; it scores the candidates of the other direction likewise. Both
implementations search in both directions with joint rescoring, on the same batches, `--compared` of
them; the number of equal predictions is printed. A search from left to right only, with caches,
shows the cost of the second direction and the joint ranking. Weights are random, and every
hypothesis is forced to end at the length of its label, so that the work is that of a trained model.
Encoding is timed separately. Processor time with one thread, wall time with several threads or a
GPU. Peak memory is that of the process (on a GPU: of PyTorch) beyond what it held before; Linux
only.

The training step is a forward and backward pass of encoder and decoder in both directions, without
augmentation, against the same step with the grid projected for each direction, as in CoMER's code,
and against one direction only.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from decode import ForcedLengthDecoder, ForcedState, inks, memory
from header import Clock, begin
from torch import Tensor

from im2tex import Im2Tex
from im2tex.data.bucketing import BatchLimits, bucket_by_size
from im2tex.data.dataset import Batch, stack
from im2tex.decoders import Hypothesis, SearchOptions
from im2tex.decoders.beam_search import StepwiseDecoder, beam_search
from im2tex.decoders.bidirectional_search import rank_jointly, reverse_indices
from im2tex.decoders.transformer.decoder import TransformerDecoder
from im2tex.grid import Grid
from im2tex.latex.vocabulary import PAD

T = TypeVar("T")


class Plain:
    """The same decoder without caches; its state is the grids and prefixes of all hypotheses."""

    def __init__(self, decoder: TransformerDecoder, reverse: bool) -> None:
        self.decoder, self.reverse = decoder, reverse

    def step(self, tokens: Tensor, state: tuple[Grid, Tensor]) -> tuple[Tensor, object]:
        """See `StepwiseDecoder.step`."""
        grid, prefix = state
        images, beam = tokens.shape
        prefix = torch.cat([prefix, tokens.unsqueeze(2)], 2)  # (B, K, t + 1)
        if len(grid.features) != images * beam:
            grid = repeated(grid, images * beam // len(grid.features))
        targets = torch.cat([prefix[:, :, 1:], prefix[:, :, :1]], 2).flatten(0, 1)
        logits, _ = self.decoder.teacher_forcing(
            grid, targets, self.reverse
        )  # the last token is not an input
        return logits[:, -1].view(images, beam, -1).log_softmax(2), (grid, prefix)

    def reorder(self, state: tuple[Grid, Tensor], parents: Tensor) -> tuple[Grid, Tensor]:
        """See `StepwiseDecoder.reorder`."""
        grid, prefix = state
        rows = parents.unsqueeze(2).expand(-1, -1, prefix.shape[2])
        return grid, prefix.gather(1, rows)

    def select(self, state: tuple[Grid, Tensor], images: Tensor) -> tuple[Grid, Tensor]:
        """See `StepwiseDecoder.select`."""
        grid, prefix = state
        beam = len(grid.features) // len(prefix)
        rows = (images.unsqueeze(1) * beam + torch.arange(beam, device=images.device)).flatten()
        return chosen(grid, rows), prefix[images]


def chosen(grid: Grid, rows: Tensor) -> Grid:
    return replace(grid, features=grid.features[rows], mask=grid.mask[rows], coarse=None)


def repeated(grid: Grid, times: int) -> Grid:
    rows = torch.arange(len(grid.features), device=grid.features.device)
    return chosen(grid, rows.repeat_interleave(times))


def plain_likelihood(
    decoder: TransformerDecoder, grid: Grid, images: Tensor, tokens: Tensor, reverse: Tensor
) -> Tensor:
    """Scores candidates as the decoder does, with the grid repeated for each candidate."""
    found = torch.zeros(tokens.shape, device=tokens.device)
    for way in (False, True):
        rows = (reverse == way).nonzero()  # (M, 2) image and candidate
        if len(rows):
            targets = tokens[rows[:, 0], rows[:, 1]]
            logits, _ = decoder.teacher_forcing(chosen(grid, images[rows[:, 0]]), targets, way)
            log_p = logits.log_softmax(2).gather(2, targets.unsqueeze(2)).squeeze(2)
            found[rows[:, 0], rows[:, 1]] = log_p
    return found


def search(
    decoder: TransformerDecoder,
    grid: Grid,
    ends: Tensor,
    options: SearchOptions,
    cached: bool = True,
    both: bool = True,
) -> list[list[Hypothesis]]:
    """Searches in both directions with joint ranking, or in one, with forced lengths."""
    device, batch = grid.features.device, len(grid.features)
    if not both:
        state = ForcedState(decoder.start(grid), ends, 0)
        return beam_search(ForcedLengthDecoder(decoder), state, batch, options, device)
    every = replace(options, n_best=options.beam_size)
    found = []
    start = decoder.start(grid) if cached else None
    for way in (False, True):
        inner: object = (grid, ends.new_zeros(batch, 1, 0))
        steps: StepwiseDecoder = Plain(decoder, way)
        if start is not None:
            inner, steps = replace(start, reverse=way), decoder
        found.append(
            beam_search(
                ForcedLengthDecoder(steps), ForcedState(inner, ends, 0), batch, every, device
            )
        )
    likelihood = partial(plain_likelihood, decoder, grid)
    if start is not None:
        likelihood = partial(decoder.score_tokens, start)
    cells = grid.mask.shape[1] * grid.mask.shape[2]
    return rank_jointly(found[0], found[1], likelihood, cells, options, device)


def plain_loss(decoder: TransformerDecoder, grid: Grid, tokens: Tensor) -> Tensor:
    """Returns the loss of `TransformerDecoder.loss`, with a grid for each direction."""
    both = torch.stack([tokens, tokens.gather(1, reverse_indices(tokens))], 1).flatten(
        0, 1
    )  # (2 B, T)
    ways = torch.arange(2, device=tokens.device).bool().repeat(len(tokens)).unsqueeze(1)
    logits, _ = decoder._run(decoder.prepare(repeated(grid, 2)), both.unsqueeze(1), ways)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 2), both.flatten(), ignore_index=PAD)


def left_loss(decoder: TransformerDecoder, grid: Grid, tokens: Tensor) -> Tensor:
    """Returns the loss of the left-to-right direction only."""
    logits, _ = decoder.teacher_forcing(grid, tokens)
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens.flatten(), ignore_index=PAD
    )


class Costs:
    """Measures seconds and peak memory of a function."""

    def __init__(self, device: torch.device, clock: Clock) -> None:
        self.device, self.clock = device, clock

    def __call__(self, run: Callable[[], object]) -> tuple[float, float]:
        """Returns the seconds, and the peak memory beyond what was held before, MB."""
        if sys.platform == "linux":  # frees the memory of the previous measurement
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        before = memory(self.device, reset=True)
        begun = self._synchronised()
        run()
        return self._synchronised() - begun, memory(self.device) - before

    def _synchronised(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return self.clock.now()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("store", type=Path, nargs="?", help="a split with ink")
    parser.add_argument("--encoder", default="densenet")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--compared", type=int, help="batches decoded without caches (all)")
    parser.add_argument("--only", choices=["decoding", "training"], help="measure only this")
    args = begin(parser)
    torch.manual_seed(0)
    device = args.device
    drawn, labels = inks(args.store, args.images)
    known = sorted({token for label in labels for token in label})
    # A vocabulary as large as CROHME's: the softmax is part of the work.
    known += [f"token{k}" for k in range(max(0, 109 - len(known)))]
    model = Im2Tex(vocabulary=known, encoder=args.encoder, decoder="transformer").to(device)
    decoder = model.recognizer.require_decoder()
    assert isinstance(decoder, TransformerDecoder)
    images = [model.preprocessing.rasterize(ink).image for ink in drawn]
    lengths = [len(label) for label in labels]
    sizes = np.array([(*image.shape, n) for image, n in zip(images, lengths, strict=True)])
    height, width, tokens = sizes.mean(0)
    millions = [
        sum(p.numel() for p in module.parameters()) / 1e6
        for module in (model.recognizer.encoder, decoder)
    ]
    costs = Costs(device, args.clock)
    print(
        f"{len(images)} images of {args.store or 'the built-in handwriting'}, {height:.0f} x "
        f"{width:.0f} pixels and {tokens:.1f} tokens on average; {args.encoder} "
        f"{millions[0]:.2f} M parameters, transformer {millions[1]:.2f} M\nbeam {args.beam}, "
        f"batches of up to {args.batch}, {device}, {args.clock.name}\n"
    )
    batches = []
    for numbers in bucket_by_size(
        range(len(images)), sizes, BatchLimits(args.batch, 1_200_000, 1_000_000)
    ):
        parts = stack([images[i] for i in numbers])
        batches.append(
            Batch(
                [str(i) for i in numbers],
                parts["images"].to(device),
                parts["sizes"].to(device),
                [labels[i] for i in numbers],
            )
        )
    if args.only != "training":
        decoding(model.eval(), decoder, batches, costs, args)
    if args.only != "decoding":
        training(model.train(), decoder, batches, costs, args)


def decoding(
    model: Im2Tex,
    decoder: TransformerDecoder,
    batches: list[Batch],
    costs: Costs,
    args: argparse.Namespace,
) -> None:
    options = SearchOptions(args.beam, length_penalty=1.0)
    ways: dict[str, dict[str, bool]] = {
        "prefixes recomputed": {"cached": False},
        "with caches": {},
        "left to right only": {"both": False},
    }
    compared = len(batches) if args.compared is None else args.compared
    among = set(torch.randperm(len(batches))[:compared].tolist())  # batches are sorted by size
    took = {name: np.full(len(batches), np.inf) for name in ways}
    peak = dict.fromkeys(ways, 0.0)
    predictions: dict[str, dict[str, list[int]]] = {name: {} for name in ways}
    encoding, count = 0.0, sum(len(batch.keys) for batch in batches)
    cells = 0
    with torch.inference_mode():
        for number, batch in enumerate(batches):
            grids: list[Grid] = []
            encode = partial(model.recognizer.encode, batch)
            encoding += costs(partial(_call_into, grids, encode))[0]
            (grid,) = grids
            cells += int(grid.mask.sum())
            ends = torch.tensor([len(label) for label in batch.tokens], device=model.device)
            search(decoder, grid, ends.clamp_max(2), options)  # compiles kernels
            for _ in range(args.passes):
                for name, way in ways.items():
                    if "cached" in way and number not in among:
                        continue
                    found: list[list[list[Hypothesis]]] = []
                    run = partial(search, decoder, grid, ends, options, **way)
                    seconds, held = costs(partial(_call_into, found, run))
                    took[name][number] = min(took[name][number], seconds)
                    peak[name] = max(peak[name], held)
                    for key, hypotheses in zip(batch.keys, found[0], strict=True):
                        predictions[name][key] = hypotheses[0].tokens
    print(f"{cells / count:.0f} cells per image; encoded {count / encoding:.1f} images per second")
    print(f"{'searched':<20}{'images/s':>16}{'peak MB':>9}")
    sizes = np.array([len(batch.keys) for batch in batches])
    for name, times in took.items():
        read = np.isfinite(times)
        if read.any():
            speed = sizes[read].sum() / times[read].sum()
            print(f"{name:<20}{speed:>16.2f}{peak[name]:>9.0f}")
    plain, ours, left = took.values()
    print(f"both directions take {ours.sum() / left.sum():.1f} times as long as one")
    if among:
        texts, others, _ = predictions.values()
        same = sum(text == others[key] for key, text in texts.items())
        ratio = plain[[*among]].sum() / ours[[*among]].sum()
        print(f"caches: {ratio:.1f}x as fast; {same} of {len(texts)} predictions are equal")
    minutes = 986 * (ours.sum() + encoding) / count / 60
    print(f"986 images, as many as in CROHME 2014, encoding too: {minutes:.1f} minutes\n")


def _call_into(results: list[T], function: Callable[[], T]) -> None:
    """Appends the result of a function to a list."""
    results.append(function())


def training(
    model: Im2Tex,
    decoder: TransformerDecoder,
    batches: list[Batch],
    costs: Costs,
    args: argparse.Namespace,
) -> None:
    def encoder(batch: Batch) -> Tensor:
        return model.recognizer.encode(batch).features.sum()

    def plain(batch: Batch) -> Tensor:
        return plain_loss(
            decoder, model.recognizer.encode(batch), model.recognizer.targets(batch).tokens
        )

    def ours(batch: Batch) -> Tensor:
        return decoder.loss(model.recognizer.encode(batch), model.recognizer.targets(batch))[0]

    def step(loss: Callable[[Batch], Tensor], batch: Batch) -> None:
        torch.autograd.backward(loss(batch))
        model.zero_grad()

    def left(batch: Batch) -> Tensor:
        return left_loss(
            decoder, model.recognizer.encode(batch), model.recognizer.targets(batch).tokens
        )

    ways = {
        "encoder alone": encoder,
        "left to right only": left,
        "a grid per direction": plain,
        "one grid for both": ours,
    }
    spent = {}
    count = sum(len(batch.keys) for batch in batches)
    print(f"{'a training step':<20}{'images/s':>16}{'peak MB':>9}")
    for name, loss in ways.items():
        seconds, peak = np.full(len(batches), np.inf), 0.0
        for _ in range(args.passes + 1):  # the first pass compiles kernels
            for number, batch in enumerate(batches):
                took, held = costs(partial(step, loss, batch))
                seconds[number], peak = min(seconds[number], took), max(peak, held)
        print(f"{name:<20}{count / seconds.sum():>16.2f}{peak:>9.0f}", flush=True)
        spent[name] = seconds.sum()
    alone, single, plainly, both = spent.values()
    print(
        f"one grid for both is {plainly / both:.2f}x as fast as a grid per direction, "
        f"{(plainly - alone) / (both - alone):.2f}x without the encoder; both directions take "
        f"{both / single:.2f} times as long as one"
    )


if __name__ == "__main__":
    main()
