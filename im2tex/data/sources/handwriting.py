"""Source `handwriting`: formulas written with real people's symbols as a font.

Section 4.2 of the paper pretrains on such a set ("Synthetic Handwriting", from Detexify's symbols);
its generator was never released. Formulas are laid out by TeX, every symbol is replaced by a drawn
sample of it (`im2tex.ink.handwriting`). What is stored is the layout; the strokes are composed when
a sample is loaded, in training anew each epoch. As an endless stream, each epoch has formulas of
its own too: their layouts are made by a process beside the training of the epoch before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.preparation.handwriting.layouts import LayoutBuilder
from im2tex.data.preparation.handwriting.selection import (
    FormulaSelection,
    crohme_like,
    held,
    listed,
)
from im2tex.data.preparation.resumable import StepCache, fingerprint
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.arxiv import find
from im2tex.data.store import Split, read_metadata, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.glyphs import GlyphBank, built_in_bank
from im2tex.ink.handwriting import NATURAL, PAPER, Composer
from im2tex.render.layout.layouter import TexLayouter

VERSION = 1
BUILT_IN = "built-in"
_MANNERS = {"faithful": PAPER, "natural": NATURAL}
_SEEDS = 1_000_003  # between the seeds of two epochs, so that those of two runs do not meet


@SOURCES.register("handwriting")
class HandwritingSource(Source):
    """Synthetic handwriting.

    Splits: `train` and `validation`, cut by a hash of the formula, so that none is in both. Where
    `crohme` is prepared under the same root, none of its validation and test labels is in either.

    Args:
        formulas: `crohme_like` samples formulas with the statistics of CROHME's training labels,
            from the sub-formulas of a list and a grammar; `list` takes a list's formulas as they
            are.
        labels: of a list's formulas: `norm`, the paper's normal form, or `crohme`.
        count: formulas of both splits together; of a list, at most.
        validation: share of the formulas that is held out.
        max_tokens: longest formula.
        glyphs: file of the glyph bank; `glyphs/bank.parquet` under the data root if not given,
            `built-in` for the package's own single-stroke font.
        manner: `natural`, or `faithful` to the paper: independent samples, no variation.
        fresh: whether training writes a formula anew each epoch, or has one ink of it.
        seed: of the sampling and the handwriting.
        stream: list of formulas, as `prepare` reads it, to go on taking formulas from: every epoch
            of training after the first has `count` of its own, made while the one before is
            trained. The processes of a run must see the same data root.
        epoch: which set of the stream `prepare` makes, for a machine without TeX perhaps; 0 is
            the store with its validation, others lie beside it as `train-EPOCH`.

    Raises:
        Im2TexError: if a value is out of range.
    """

    name: ClassVar[str] = "handwriting"
    tests: ClassVar[tuple[str, ...]] = ("validation",)

    def __init__(
        self,
        formulas: Literal["crohme_like", "list"] = "crohme_like",
        labels: Literal["norm", "crohme"] = "norm",
        count: int = 75_000,
        validation: float = 0.02,
        max_tokens: int = 150,
        glyphs: str | None = None,
        manner: Literal["natural", "faithful"] = "natural",
        fresh: bool = True,
        seed: int = 0,
        stream: str | None = None,
        epoch: int = 0,
    ) -> None:
        if count < 2:
            raise Im2TexError(f"source 'handwriting': count={count} must be at least 2.")
        if epoch < 0:
            raise Im2TexError(f"source 'handwriting': epoch={epoch} must not be below 0.")
        if max_tokens < 1:
            raise Im2TexError(f"source 'handwriting': max_tokens={max_tokens} must be at least 1.")
        if not 0 < validation < 1:
            raise Im2TexError(
                f"source 'handwriting': validation={validation} is a share, between 0 and 1."
            )
        self.glyphs = glyphs
        self.manner = manner
        self.fresh = fresh
        self.seed = seed
        self.epoch = epoch
        self.raw_data = stream
        self.epoch_splits = None if stream is None else EpochSplitBuilder(self)
        self.made_with: dict[str, Any] = {
            "formulas": formulas,
            "labels": "crohme" if formulas == "crohme_like" else labels,
            "count": count,
            "validation": validation,
            "max_tokens": max_tokens,
            "seed": seed,
        }

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Chooses formulas, lays them out and writes the store; goes on where it was interrupted.

        Args:
            root: the data root.
            raw_data: a list of formulas, as source `arxiv` reads it; without one, the list in the
                folder that IM2TEX_DATA names.
            labels: refused: labels are the formulas themselves.

        Returns:
            Samples by split, and what there is to know about them.

        Raises:
            Im2TexError: if there are no formulas or glyphs, TeX is not installed, or the store
                cannot be written. An earlier store is intact then.
        """
        if labels is not None:
            raise Im2TexError("source 'handwriting' makes its own labels: leave --labels.")
        path = find(raw_data, root, self.name)
        if not path.is_file():
            raise Im2TexError(
                f"{path} is a folder: source 'handwriting' needs a list of formulas (.tsv, .txt; "
                ".gz, .xz)."
            )
        bank = self._bank(root)
        synthesizer = HandwritingSynthesizer(Composer(bank, _MANNERS[self.manner]), self.seed)
        made_of = {
            "version": VERSION,
            "settings": self.made_with,
            "epoch": self.epoch,
            "manner": self.manner,
            "origin": fingerprint(path),
            "glyphs": len(bank),
        }
        cache = StepCache(root / self.name, made_of)
        chosen = _kept(cache, lambda: self._choose(path, root))
        if not chosen.formulas:
            raise Im2TexError(f"{path} leaves nothing to train on: {'; '.join(chosen.lines)}.")
        share = self.made_with["validation"]
        splits = {self.epoch_name(self.epoch): [f for f in chosen.formulas if not held(f, share)]}
        if not self.epoch:
            splits["validation"] = sorted({f for f in chosen.formulas if held(f, share)})
        about = {
            "source": self.name,
            **made_of,
            "licence": bank.metadata.get("licences") or "none: the package's own font",
        }
        prepared = PreparationReport(lines=list(chosen.lines))
        with TexLayouter() as layouter:
            for split, formulas in splits.items():
                laying = LayoutBuilder(cache, layouter, synthesizer, split)
                prepared.splits[split] = write_split(
                    cache.staged / f"{split}.parquet",
                    laying.run(formulas),
                    {**about, "split": split},
                )
                for reason, number in laying.left_out.most_common():
                    prepared.lines.append(f"{number:,} left out of {split}: {reason}")
                if not prepared.splits[split]:
                    self._without(split, prepared.lines)
        cache.publish()
        return prepared

    def ensure(self, root: Path) -> None:
        """Says how to make the store where it is missing, or is not what is asked for."""
        super().ensure(root)
        made = self._settings_of(root, self.train)
        other = [
            f"{name} {made.get(name)!r} there, {value!r} asked for"
            for name, value in self.made_with.items()
            if name != "seed" and made.get(name) != value
        ]
        if other:
            raise Im2TexError(
                f"the store {root / self.name} was made with other settings: {'; '.join(other)}. "
                "Change data.source_args, or make it again with `im2tex data prepare handwriting`."
            )

    def split(self, root: Path, name: str) -> Split:
        """Opens a split, with what writes its samples by hand."""
        split = super().split(root, name)
        composer = Composer(self._bank(root), _MANNERS[self.manner])
        split.synthesizer = HandwritingSynthesizer(composer, self.seed, self.fresh)
        return split

    def epoch_name(self, epoch: int) -> str:
        """Name of the split of an epoch's training samples; the first one's is the store's own."""
        return f"train-{epoch}" if epoch else self.train

    def is_current(self, root: Path, epoch: int) -> bool:
        """Whether the samples of an epoch are there and of these settings."""
        name = self.epoch_name(epoch)
        there = self.path(root, name).exists()
        return there and (not epoch or self._settings_of(root, name) == self.made_with)

    def command(self, root: Path, epoch: int) -> list[str]:
        """The program that makes an epoch's samples."""
        settings = {**self.made_with, "manner": self.manner, "epoch": epoch}
        if settings["formulas"] == "crohme_like":
            del settings["labels"]  # which says what the sampler makes anyway
        if self.glyphs is not None:
            settings["glyphs"] = self.glyphs
        return [
            *(sys.executable, "-m", "im2tex", "data", "prepare", self.name, "--root", str(root)),
            *("--from", str(self.raw_data), "--source_args", json.dumps(settings)),
        ]

    def _without(self, split: str, lines: list[str]) -> None:
        """What to do about a split without samples.

        Raises:
            Im2TexError: if it is one to train on.
        """
        if split != "validation":
            raise Im2TexError(f"there is nothing left to train on: {'; '.join(lines)}.")
        share = self.made_with["validation"]
        lines.append(
            f"validation is empty, at a share of {share:g}: without it no checkpoint is the best. "
            "More formulas (count) or a larger share (validation) fill it."
        )

    def _settings_of(self, root: Path, name: str) -> dict[str, Any]:
        settings: dict[str, Any] = read_metadata(self.path(root, name)).get("settings", {})
        return settings

    def _choose(self, path: Path, root: Path) -> FormulaSelection:
        made = self.made_with
        if made["formulas"] == "crohme_like":
            seed = made["seed"] + self.epoch * _SEEDS
            return crohme_like(path, root, made["count"], seed, made["max_tokens"])
        return listed(path, root, made["labels"], made["count"], made["max_tokens"], self.epoch)

    def _bank(self, root: Path) -> GlyphBank:
        if self.glyphs == BUILT_IN:
            return built_in_bank()
        path = Path(self.glyphs) if self.glyphs else root / "glyphs" / "bank.parquet"
        if not path.exists():
            raise Im2TexError(
                f"there is no glyph bank {path}: `im2tex data glyphs --out {path}` makes one, or "
                f"set glyphs to '{BUILT_IN}' in data.source_args for the package's own font."
            )
        return GlyphBank.load(path)


def _kept(cache: StepCache, choose: Any) -> FormulaSelection:
    """The chosen formulas, as an interrupted preparation left them or chosen now."""
    schema = pa.schema([("tokens", pa.list_(pa.string()))])

    def make() -> pa.Table:
        chosen: FormulaSelection = choose()
        rows = [{"tokens": list(tokens)} for tokens in chosen.formulas]
        note = {b"lines": "\n".join(chosen.lines).encode()}
        return pa.Table.from_pylist(rows, schema=schema.with_metadata(note))

    table = cache.step("formulas", make)
    lines = table.schema.metadata[b"lines"].decode().split("\n")
    return FormulaSelection([tuple(row) for row in table.column("tokens").to_pylist()], lines)
