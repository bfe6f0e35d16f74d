"""Measures images per second and peak memory of training a configuration on generated formulas.

    python benchmarks/training.py configs/crohme_small.yaml
    python benchmarks/training.py configs/crohme_finetune.yaml --steps 4

The alternative, measured in the same run, has batches of samples in random order, padded to their
largest, as of a plain DataLoader, with the same maximum of samples per batch. Batches are chosen
before the measurement; loading runs in worker processes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from header import announce

from im2tex import Im2Tex
from im2tex.commands.trainer.config_layers import load_config
from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.bucketing import BatchLimits, padding_ratio
from im2tex.data.dataset import Batch, FormulaDataset
from im2tex.data.samplers import TrainingSampler
from im2tex.data.source import SOURCES
from im2tex.data.store import Split
from im2tex.ink.augment import Augmentation
from im2tex.latex.vocabulary import Vocabulary
from im2tex.training.precision import resolve_precision


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--store", type=Path, help="a split to train on")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument(
        "--batch", type=int, help="samples per batch (default: the configuration's)"
    )
    options = parser.parse_args()
    announce()
    settings = load_config(options.config)
    split = _split(options.store, options.samples)
    model = Im2Tex(
        vocabulary=list(Vocabulary.count(split.tokens()).ordinary),
        **{name: value for name, value in settings["model"].items() if name != "init_from"},
    )
    data = settings["data"]
    variation = TrainingAugmentation(
        data.get("seed", 0), Augmentation(**data.get("augmentation") or {})
    )
    dataset = FormulaDataset(split, model.preprocessing, variation)
    numbers = np.arange(min(options.samples, len(split)))
    size = options.batch or int(data["batch_size"])
    budget = BatchLimits(size, data.get("batch_pixels", 600_000), data.get("batch_tokens", 2_000))
    ours = [
        request.indices for request in TrainingSampler(dataset.planner, numbers, budget).plan(0)
    ]
    rng = np.random.default_rng(0)
    mixed = rng.permutation(numbers).tolist()
    plain = [mixed[k : k + size] for k in range(0, len(mixed), size)]
    sizes = dataset.planner.sizes(numbers, 0)
    # A random choice of whole batches has the same samples on average in both orders.
    ways = {
        name: [plan[k] for k in rng.permutation(len(plan))[: options.steps]]
        for name, plan in (("grouped (ours)", ours), ("random order", plain))
    }
    precision = resolve_precision(settings["trainer"].get("precision"), accelerator="cpu")
    bf16 = str(precision).startswith("bf16")
    optimizer = model.optimizer.build(model)
    print(f"{options.config}: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
    speeds = {}
    for name, batches in ways.items():
        drawn = [dataset[0, numbers] for numbers in batches]
        _train(model, optimizer, drawn[:1], bf16)
        speeds[name] = _train(model, optimizer, drawn, bf16)
        print(
            f"{name:16} {speeds[name]:8.1f} images/s  "
            f"{padding_ratio(batches, sizes):.2f} pixels per image pixel"
        )
    print(f"grouped is {speeds['grouped (ours)'] / speeds['random order']:.2f}x as fast")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of the process {peak:.1f} GiB, {torch.get_num_threads()} threads")


def _split(store: Path | None, samples: int) -> Split:
    if store is not None:
        return Split(store)
    root = Path(tempfile.mkdtemp())
    arguments = {"size_train": samples, "depth": 2, "max_tokens": 60}
    source = SOURCES.build("grammar", arguments)
    source.ensure(root)
    return source.split(root, "train")


def _train(model: Im2Tex, optimizer: Any, batches: list[Batch], bf16: bool) -> float:
    model.train()
    images = 0
    begun = time.perf_counter()
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss, _ = model.recognizer.require_decoder().loss(
                model.recognizer.encode(batch), model.recognizer.targets(batch)
            )
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        images += len(batch.keys)
    return images / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
