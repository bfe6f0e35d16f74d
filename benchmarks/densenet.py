"""Measures a training step of the DenseNet encoder against the usual implementation of its layers.

    python benchmarks/densenet.py
    python benchmarks/densenet.py --device cuda --images 32 --passes 10

Usually every layer of a dense block has one concatenated tensor as input, which autograd keeps;
ours recomputes it in the backward pass (see `im2tex/encoders/densenet.py`). The timed work is the
encoder and its backward pass, with both implementations in turns on the same weights and images;
the best pass counts: processor time with one thread, wall time on a GPU. The gradients are
compared. "Kept" is the memory that autograd holds between the two passes, summed over tensors.
"""

from __future__ import annotations

import argparse
import gc
import sys

import torch
from header import begin
from torch import Tensor

from im2tex.encoders.densenet import Bottleneck, DenseBlock, DenseNet


class Plain(DenseBlock):
    """The same layers, each with one concatenated tensor as input."""

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """See `DenseBlock.forward`."""
        for layer in self.layers:
            assert isinstance(layer, Bottleneck)
            found = layer.norm1(layer.conv1(features)).mul_(mask.unsqueeze(1)).relu_()
            found = layer.norm2(layer.conv2(found)).relu_()
            features = torch.cat([features, found], 1)
        return features


def keeping(kept: dict[int, int]) -> torch.autograd.graph.saved_tensors_hooks:
    """Returns a context that records the bytes that autograd keeps, by storage."""

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)


def step(encoder: DenseNet, images: Tensor, mask: Tensor) -> tuple[Tensor, int]:
    """Returns the gradient of all weights, and the bytes kept for it."""
    kept: dict[int, int] = {}
    encoder.zero_grad()
    with keeping(kept):
        features = encoder(images, mask).features
    torch.autograd.backward(features.square().mean())
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    gradients = [
        parameter.grad.flatten() for parameter in encoder.parameters() if parameter.grad is not None
    ]
    return torch.cat(gradients), sum(kept.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--passes", type=int, default=3)
    args = begin(parser)
    device, clock = args.device, args.clock.now
    torch.manual_seed(0)
    encoder = DenseNet(dropout=0.0).to(device)
    images = torch.rand(args.images, 1, args.height, args.width, device=device)
    mask = torch.ones(args.images, args.height, args.width, dtype=torch.bool, device=device)
    seconds = dict.fromkeys(("plain", "ours"), float("inf"))
    gradients, kept = {}, {}
    for _ in range(1 + args.passes):  # the first pass warms up
        for way in seconds:
            for block in encoder.blocks:
                block.__class__ = Plain if way == "plain" else DenseBlock
            gc.collect()
            begun = clock()
            gradients[way], kept[way] = step(encoder, images, mask)
            seconds[way] = min(seconds[way], clock() - begun)
    print(f"{args.images} images of {args.height} x {args.width}, {device}, 1 thread")
    for way in seconds:
        print(f"{way:<6}{seconds[way] * 1e3:>8.0f} ms{kept[way] / 1e6:>8.0f} MB kept")
    apart = (gradients["plain"] - gradients["ours"]).norm() / gradients["plain"].norm()
    print(
        f"ratio plain / ours: time {seconds['plain'] / seconds['ours']:.2f}, kept "
        f"{kept['plain'] / kept['ours']:.2f}; gradients differ by {float(apart):.1e}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
