"""Measures the training data of the version of im2tex on the path; prints a JSON object.

`data_pipeline.py` runs it for two versions. It uses what both have: the settings in
`configs/crohme_small.yaml` of each, and the loader of `FormulaDataModule`.
"""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
import resource
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml

from im2tex.data.datamodule import FormulaDataModule
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.store import Split


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("mode", choices=["open", "plan", "draw", "load", "start"])
    parser.add_argument("--tree", type=Path, required=True, help="root of the version's files")
    parser.add_argument("--root", type=Path, required=True, help="folder of the prepared data")
    parser.add_argument("--source", default="crohme")
    parser.add_argument("--split", default="train")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps(globals()[f"measure_{options.mode}"](options)))


def measure_open(options: argparse.Namespace) -> dict[str, float]:
    """Seconds to open a split and to count its tokens, and private memory before and after reads.

    Older versions have neither geometry nor counts.
    """
    path = options.root / options.source / f"{options.split}.parquet"
    begun = time.perf_counter()
    split = Split(path)
    opened = time.perf_counter()
    _ = split.geometry
    measured = time.perf_counter()
    _ = split.token_counts()
    counted = time.perf_counter()
    before = private_memory()
    rng = np.random.default_rng(0)
    for index in rng.permutation(len(split))[:20_000].tolist():
        _ = split[index]
    return {
        "open_seconds": opened - begun,
        "geometry_seconds": measured - opened,
        "tokens_seconds": counted - measured,
        "private_mb": before,
        "read_mb": private_memory(),
    }


def measure_plan(options: argparse.Namespace) -> dict[str, float]:
    """Processor time of one rank to plan its second epoch, and to make the loader before."""
    begun = time.process_time()
    loader = loader_of(options)
    loaded = time.process_time()
    loader.sampler.position = lambda: (1, 0)
    batches = sum(1 for _ in loader.sampler)
    planned = time.process_time() - loaded
    samples = getattr(loader.sampler, "indices", None)
    if samples is None:  # the name at e526574
        samples = loader.sampler.numbers
    return {
        "us_per_sample": 1e6 * planned / len(samples),
        "loader_seconds": loaded - begun,
        "batches": batches,
    }


def measure_draw(options: argparse.Namespace) -> dict[str, float]:
    """Samples loaded and drawn per second of processor time, in this process."""
    loader = loader_of(options)
    requests = list(itertools.islice(loader.sampler, 2000))
    _ = loader.dataset[requests[0]]
    samples, begun = 0, time.process_time()
    for request in requests:
        samples += len(loader.dataset[request].keys)
        if time.process_time() - begun > options.seconds:
            break
    return {"rate": samples / (time.process_time() - begun)}


def measure_load(options: argparse.Namespace) -> dict[str, float]:
    """Images per second from the loader, without a model, after the first batch."""
    batches = iter(loader_of(options))
    next(batches)
    images, begun = 0, time.perf_counter()
    for batch in batches:
        images += len(batch.keys)
        if time.perf_counter() - begun > options.seconds:
            break
    return {"rate": images / (time.perf_counter() - begun)}


def measure_start(options: argparse.Namespace) -> dict[str, float]:
    """Seconds to the first batch, and private memory of the process."""
    begun = time.perf_counter()
    next(iter(loader_of(options)))
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "private_mb": private_memory(), "peak_mb": peak / 1024}


def private_memory() -> float:
    """Anonymous memory of this process in MB, which it shares with no file and no other one."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) / 1024


def loader_of(options: argparse.Namespace) -> Any:
    """The loader of training batches with the settings of `crohme_small`."""
    config = yaml.safe_load((options.tree / "configs" / "crohme_small.yaml").read_text())
    settings = {**config["data"], "source": options.source, "train_split": options.split}
    if options.source != "crohme":  # as synthetic_small.yaml: no recombination
        unused = ("swap_fraction", "swap_share", "subformula_crop_prob", "crop_share")
        settings = {name: value for name, value in settings.items() if name not in unused}
        settings["train_samples"] = 10_000
    known = inspect.signature(FormulaDataModule).parameters
    settings["num_workers" if "num_workers" in known else "workers"] = options.workers
    data = FormulaDataModule(root=str(options.root), seed=0, **settings)
    progress = SimpleNamespace(current=SimpleNamespace(processed=0, ready=0))
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        lightning_module=SimpleNamespace(
            preprocessing=Preprocessing(**config["model"]["preprocessing"])
        ),
        ckpt_path=None,
        global_rank=0,
        world_size=options.ranks,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(
            epoch_progress=progress, epoch_loop=SimpleNamespace(batch_progress=progress)
        ),
    )
    return data.train_dataloader()


if __name__ == "__main__":
    main()
