"""Trains each valid combination of encoder, attention and decoder to overfit 16 formulas.

    python benchmarks/combinations.py                      # a table, some minutes
    python benchmarks/combinations.py --only transformer   # combinations with a word in their name

The additive score, a projection shared by both levels (`share`), and the transformer without
coverage or from left to right only are combinations of their own. Seconds are processor time.

Each combination trains at a small size on one batch of generated formulas until greedy search
predicts all of them, or until the maximum number of steps: a check that the components fit together
and that gradients reach them, not a comparison. Hard attention starts from the hierarchical model,
as in the paper, after 40 steps, so that something is left to learn; its steps are counted from
there. The exit status is 1 if a combination does not learn its formulas. Then its wrong predictions
are printed, and the number of correct ones with the batch's own normalisation statistics, because
the running statistics lag behind a network that still changes fast.
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
EVERY = 20  # steps between two evaluations
EARLY = 40  # steps of a model that another combination starts from
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
    """Component names and arguments of a model, and the combination that it starts from."""

    encoder: str
    attention: str
    decoder: str
    coarse: bool = False
    variant: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    start: str | None = None

    @property
    def name(self) -> str:
        """The names of the components, separated by spaces."""
        encoder = f"{self.encoder}{'+coarse' if self.coarse else ''}"
        return f"{encoder} {self.attention} {self.decoder} {self.variant}".rstrip()


def combinations() -> list[Combination]:
    """Returns the valid combinations: CTC and the transformer take no attention.

    The arguments belong to the attention, or to a decoder that takes none.
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


def build(combination: Combination, words: list[str]) -> Im2Tex:
    encoder = {
        **ENCODERS[combination.encoder],
        **({"coarse": True, "block": 2} if combination.coarse else {}),
    }
    without_attention = combination.attention == "none"
    return Im2Tex(
        vocabulary=words,
        encoder=combination.encoder,
        encoder_args=encoder,
        attention=combination.attention,
        attention_args={} if without_attention else combination.arguments,
        decoder=combination.decoder,
        decoder_args={
            **DECODERS[combination.decoder],
            **(combination.arguments if without_attention else {}),
        },
        preprocessing={"symbol_size": 14, "stroke_width": 0.12},
    )


def wrong_predictions(model: Im2Tex, batch: Batch) -> list[str]:
    """Returns a line for each formula that greedy search predicts wrongly."""
    with torch.no_grad():
        found = model(batch, SearchOptions(beam_size=1, max_length=30))
    texts = [
        model.recognizer.require_vocabulary().decode(hypotheses[0].tokens) for hypotheses in found
    ]
    return [
        f"{' '.join(gold)}: {' '.join(text) or 'nothing'}"
        for text, gold in zip(texts, batch.tokens, strict=True)
        if text != list(gold)
    ]


def learn(model: Im2Tex, batch: Batch, limit: int, early: dict[str, Any]) -> tuple[int, list[str]]:
    """Returns the steps until all formulas are right, and the wrong predictions at the end.

    The weights after the first `EARLY` steps are stored in `early`.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    step, wrong = 0, wrong_predictions(model.eval(), batch)
    while wrong and step < limit:
        model.train()
        for _ in range(min(EVERY, limit - step)):
            loss, _ = model.recognizer.require_decoder().loss(
                model.recognizer.encode(batch), model.recognizer.targets(batch)
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            step += 1
        if step <= EARLY:
            early.update(copy.deepcopy(model.state_dict()))
        wrong = wrong_predictions(model.eval(), batch)
    return step, wrong


def with_batch_statistics(model: Im2Tex) -> Im2Tex:
    """Sets only the batch normalisation of the model to training mode."""
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
        for combination in combinations():
            if options.only not in combination.name and combination.name not in _starts(
                options.only
            ):
                continue
            torch.manual_seed(0)
            model = build(combination, words)
            preprocessing = Preprocessing(
                symbol_size=14, stroke_width=0.12, stride=model.recognizer.encoder.stride
            )
            batch = FormulaDataset(split, preprocessing)[0, list(range(FORMULAS))]
            if combination.start is not None:
                model.load_state_dict(states[combination.start], strict=False)
            begun = time.process_time()
            states[combination.name] = {}
            steps, wrong = learn(model, batch, options.steps, states[combination.name])
            failed += bool(wrong)
            right = FORMULAS - len(wrong)
            size = sum(parameter.numel() for parameter in model.parameters())
            taken = time.process_time() - begun
            print(
                f"{combination.name:43} {size:10,} {right:3}/{FORMULAS} {steps:6} {taken:8.1f}",
                flush=True,
            )
            for line in wrong:
                print(f"    wrong: {line}")
            if wrong:
                other = wrong_predictions(with_batch_statistics(model), batch)
                print(f"    with the batch's own statistics {FORMULAS - len(other)}/{FORMULAS}")
    sys.exit(1 if failed else 0)


def _starts(only: str) -> set[str]:
    """Returns the combinations that those with a word in their name start from."""
    return {
        combination.start
        for combination in combinations()
        if only in combination.name and combination.start
    }


if __name__ == "__main__":
    main()
