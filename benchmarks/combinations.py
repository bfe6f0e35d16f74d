"""Every combination of encoder, attention and decoder that makes sense, learning 16 formulas.

    python benchmarks/combinations.py                      # a table, some minutes
    python benchmarks/combinations.py --only transformer   # those with a word in their name

The additive score, one weight for the scores of both levels (`share`), and the transformer without
coverage or from left to right only are combinations of their own. Seconds are processor time.

Each trains at a small size on one batch of made-up formulas until a greedy reading of all of them
is right, or the steps are used up: a check that the parts fit and that gradients arrive, not a
comparison. Hard attention starts from the hierarchical model, as in the paper, but from one of 40
steps, which leaves it something to learn; its steps are counted from there. Ends with 1 if a
combination does not learn its formulas; says what it misread, and how many it reads right by the
batch's own statistics: those that batch normalisation keeps lag behind a network that still learns
fast.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from header import announce
from torch import nn

from im2tex import Im2Tex
from im2tex.data.dataset import Batch, FormulaDataset
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.source import SOURCES
from im2tex.decoders import SearchOptions
from im2tex.latex.vocabulary import Vocabulary

FORMULAS = 16
EVERY = 20  # steps between two readings
EARLY = 40  # steps of the model that another one starts from
POOLS = {"channels": [16, 32, 48, 48], "pools": ["2x2", "2x2", "2x1", "1x2"]}
NORMED = {"batch_norm": [True] * 4}
ENCODERS: dict[str, dict[str, Any]] = {
    "row_cnn": {**POOLS, **NORMED, "row_hidden_size": 48, "residual": True},
    "cnn": {**POOLS, **NORMED, "positions": "sinusoidal"},
    "densenet": {
        "growth_rate": 8,
        "num_layers": 3,
        "num_blocks": 2,
        "out_channels": 48,
        "dropout": 0.0,
    },
    "timm": {"model": "resnet18", "stride": 8, "out_channels": 48, "positions": "sinusoidal"},
}
DECODERS: dict[str, dict[str, Any]] = {
    "lstm": {"hidden_size": 64, "embedding_dim": 16, "reduction": "tokens"},
    "transformer": {
        **{"d_model": 48, "num_layers": 2, "num_heads": 4, "dim_feedforward": 96, "dropout": 0.0},
        **{"coverage_channels": 8},
    },
    "ctc": {"hidden_size": 48, "num_layers": 1, "upsample": 4, "reduction": "tokens"},
}


@dataclass
class Combination:
    """Parts of a model by name, what is special about them, and whose weights it starts from."""

    encoder: str
    attention: str
    decoder: str
    coarse: bool = False
    variant: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    start: str | None = None

    @property
    def name(self) -> str:
        """All parts in a word."""
        encoder = f"{self.encoder}{'+coarse' if self.coarse else ''}"
        return f"{encoder} {self.attention} {self.decoder} {self.variant}".rstrip()


def combinations() -> list[Combination]:
    """Those that make sense: CTC and the transformer take no attention, four need a coarse grid.

    Arguments are those of the attention, or of the decoder that takes none.
    """
    found = [
        Combination(encoder, attention, "lstm", variant=variant, arguments=arguments)
        for encoder in ENCODERS
        for attention, variant, arguments in (
            ("standard", "", {}),
            ("standard", "additive", {"score": "additive"}),
            ("coverage", "", {"kernel_size": 5, "channels": 16}),
        )
    ]
    found.append(Combination("row_cnn", "coarse_only", "lstm", coarse=True))
    for variant, shared in (("", {}), ("share", {"share_projection": True})):
        of = partial(Combination, "row_cnn", decoder="lstm", coarse=True, variant=variant)
        found.append(start := of("hierarchical", arguments=shared))
        found.append(of("sparsemax", arguments=shared))
        found.append(of("hard", arguments={"samples": 4, **shared}, start=start.name))
    found += [
        Combination(encoder, "none", decoder, variant=variant, arguments=arguments)
        for encoder in ENCODERS
        for decoder, variant, arguments in (
            ("transformer", "", {}),
            ("transformer", "without coverage", {"coverage": False}),
            ("transformer", "left to right", {"directions": "left_to_right"}),
            ("ctc", "", {}),
        )
    ]
    return found


def build(one: Combination, words: list[str]) -> Im2Tex:
    encoder = {**ENCODERS[one.encoder], **({"coarse": True, "block": 2} if one.coarse else {})}
    alone = one.attention == "none"
    return Im2Tex(
        vocabulary=words,
        encoder=one.recognizer.encoder,
        encoder_args=encoder,
        attention=one.attention,
        attention_args={} if alone else one.arguments,
        decoder=one.decoder,
        decoder_args={**DECODERS[one.decoder], **(one.arguments if alone else {})},
        preprocessing={"symbol_size": 14, "stroke_width": 0.12},
    )


def misread(model: Im2Tex, batch: Batch) -> list[str]:
    """What a greedy reading gets wrong."""
    with torch.no_grad():
        found = model(batch, SearchOptions(beam_size=1, max_length=30))
    texts = [model.recognizer.require_vocabulary().decode(one[0].tokens) for one in found]
    return [
        f"{' '.join(gold)}: {' '.join(text) or 'nothing'}"
        for text, gold in zip(texts, batch.tokens, strict=True)
        if text != list(gold)
    ]


def learn(model: Im2Tex, batch: Batch, limit: int, early: dict[str, Any]) -> tuple[int, list[str]]:
    """Steps until all formulas are right, and what is misread at the end, in eval mode.

    Its weights after the first few steps are left in `early`.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    step, wrong = 0, misread(model.eval(), batch)
    while wrong and step < limit:
        model.train()
        for _ in range(min(EVERY, limit - step)):
            loss, _ = model.recognizer.require_decoder().loss(
                model.recognizer.encode(batch), model.recognizer.targets(batch)
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            step += 1
        if step <= EARLY:
            early.update(copy.deepcopy(model.state_dict()))
        wrong = misread(model.eval(), batch)
    return step, wrong


def by_batch_statistics(model: Im2Tex) -> Im2Tex:
    """The model with batch normalisation as in training, and nothing else."""
    for layer in model.eval().modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train()
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", default="", help="combinations with this in their name")
    parser.add_argument("--steps", type=int, default=3000, help="at most (default: %(default)s)")
    options = parser.parse_args()
    announce()
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"size_train": FORMULAS, "size_validation": 2, "size_test": 2}
        source = SOURCES.build("grammar", arguments)
        source.ensure(Path(folder))
        split = source.split(Path(folder), "train")
        words = list(Vocabulary.count(split.tokens()).ordinary)
        print(f"{'combination':43} {'parameters':>10} {'right':>6} {'steps':>6} {'seconds':>8}")
        failed = 0
        states: dict[str, dict[str, Any]] = {}
        for one in combinations():
            if options.only not in one.name and one.name not in _starts(options.only):
                continue
            torch.manual_seed(0)
            model = build(one, words)
            settings = {
                "symbol_size": 14,
                "stroke_width": 0.12,
                "stride": model.recognizer.encoder.stride,
            }
            batch = FormulaDataset(split, Preprocessing(**settings))[0, list(range(FORMULAS))]
            if one.start is not None:
                model.load_state_dict(states[one.start], strict=False)
            begun = time.process_time()
            states[one.name] = {}
            steps, wrong = learn(model, batch, options.steps, states[one.name])
            failed += bool(wrong)
            right = FORMULAS - len(wrong)
            size = sum(parameter.numel() for parameter in model.parameters())
            taken = time.process_time() - begun
            print(
                f"{one.name:43} {size:10,} {right:3}/{FORMULAS} {steps:6} {taken:8.1f}", flush=True
            )
            for line in wrong:
                print(f"    misread {line}")
            if wrong:
                other = misread(by_batch_statistics(model), batch)
                print(f"    by the batch's own statistics {FORMULAS - len(other)}/{FORMULAS}")
    sys.exit(1 if failed else 0)


def _starts(only: str) -> set[str]:
    """What combinations with a word in their name start from."""
    return {one.start for one in combinations() if only in one.name and one.start}


if __name__ == "__main__":
    main()
