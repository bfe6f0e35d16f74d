"""Counts the labels that CTC can predict from their images, by time steps per column.

    python benchmarks/ctc_columns.py data/im2latex/test.parquet

A label needs one time step per token, and one more between two equal tokens. The result is the
reason for `upsample` in `configs/im2latex_ctc.yaml`; no speed is measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from header import announce

from im2tex import Im2Tex
from im2tex.commands.trainer.config_layers import load_config
from im2tex.data.store import Split
from im2tex.decoders.ctc import steps_needed
from im2tex.latex.vocabulary import Vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("store", type=Path, help="a split with images")
    parser.add_argument("--config", type=Path, default=Path("configs/im2latex_ctc.yaml"))
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4, 6, 8])
    options = parser.parse_args()
    announce()
    split = Split(options.store)
    words = Vocabulary.count(split.tokens())
    model = Im2Tex(vocabulary=list(words.ordinary), **load_config(options.config)["model"])
    stride = model.recognizer.encoder.stride[1]
    needed, columns = [], []
    for sample in split:
        if sample.image is None:
            continue
        tokens = torch.tensor([words.encode(sample.tokens)])
        needed.append(steps_needed(tokens, torch.tensor([len(sample.tokens)])))
        columns.append(model.preprocessing.load_image(sample.image).image.shape[1] // stride)
    enough = torch.cat(needed) / torch.tensor(columns)
    print(f"{len(columns)} labels of {options.store}, columns of {stride} pixels\n")
    print(f"{'steps/column':>14}{'labels that fit':>17}")
    for steps in options.steps:
        print(f"{steps:>14}{(enough <= steps).float().mean():>17.1%}")


if __name__ == "__main__":
    main()
