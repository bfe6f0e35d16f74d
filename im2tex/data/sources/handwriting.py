"""Source `handwriting`: synthetic handwriting, composed from drawn samples of single symbols.

Section 4.2 of the paper pretrains on such a set ("Synthetic Handwriting", from Detexify's symbols),
whose generator was never released. TeX typesets each formula, and a drawn sample replaces each
symbol (`im2tex.ink.handwriting`). The store has the layouts; the strokes are composed when a sample
is loaded, in training anew for each epoch. With `formulas_per_epoch_from`, each epoch also has its
own formulas, whose layouts a subprocess makes during the previous epoch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.preparation.handwriting.layouts import LayoutBuilder
from im2tex.data.preparation.handwriting.selection import (
    FormulaSelection,
    cached_selection,
    crohme_like,
    from_list,
    is_held_out,
)
from im2tex.data.preparation.locating import locate_raw_data, refuse_labels
from im2tex.data.preparation.resumable import StepCache, file_fingerprint
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.arxiv import FORMULAS, formulas_hint
from im2tex.data.store import Split, read_metadata, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.glyphs import GlyphBank, built_in_bank
from im2tex.ink.handwriting import NATURAL, PAPER, Composer
from im2tex.render.layout.layouter import TexLayouter
from im2tex.utils.checks import check_settings

_VERSION = 1
_BUILT_IN = "built-in"
_BANK = "glyphs/bank.parquet"
_STYLES = {"natural": NATURAL, "paper": PAPER}
_SEED_STEP = 1_000_003  # between the seeds of two epochs, so that those of two runs differ
_MAX_REASONS = 10  # reasons for skipping formulas in a report


@SOURCES.register("handwriting")
class HandwritingSource(Source):
    """Synthetic handwriting.

    The splits `train` and `validation` are separated by a hash of the formula, so that no formula
    is in both. If `crohme` is prepared under the same root, the labels of its validation and tests
    are in neither.

    Example:
        >>> source = HandwritingSource(count=1000, glyphs="built-in")
        >>> source.prepare(Path("data"), "formulas.tsv")
        >>> split = source.split(Path("data"), "train")
        >>> split.synthesizer(split[0], epoch=0)  # the ink of the first sample

    Args:
        formulas: `crohme_like` samples formulas with the statistics of CROHME's training labels,
            from the sub-formulas of a list and from a grammar; `list` takes the formulas of a list.
        labels: labels of a list's formulas: `norm`, the paper's normal form, or `crohme`.
        count: number of formulas of both splits together; the maximum for a list.
        validation: fraction of the formulas in `validation`.
        max_tokens: length of the longest formula.
        glyphs: file of the glyph bank; `glyphs/bank.parquet` under the data root if not given,
            `built-in` for the package's own single-stroke font.
        style: `natural`, or `paper` for independent samples without variation.
        resample_strokes: whether each training epoch composes new ink for a formula.
        seed: seed of the sampling and the handwriting.
        formulas_per_epoch_from: a list of formulas, as for `prepare`. Each training epoch after
            the first then has `count` formulas of its own, prepared during the previous epoch. The
            processes of a run must have the same data root.
        epoch: index of the training split that `prepare` makes, such as for a machine without TeX;
            0 makes `train` and `validation`, another index makes `train-EPOCH`.

    Raises:
        Im2TexError: if a value is out of range.
    """

    name: ClassVar[str] = "handwriting"
    tests: ClassVar[tuple[str, ...]] = ("validation",)
    shared_files: ClassVar[tuple[str, ...]] = (_BANK,)

    def __init__(
        self,
        formulas: Literal["crohme_like", "list"] = "crohme_like",
        labels: Literal["norm", "crohme"] = "norm",
        count: int = 75_000,
        validation: float = 0.02,
        max_tokens: int = 150,
        glyphs: str | None = None,
        style: Literal["natural", "paper"] = "natural",
        resample_strokes: bool = True,
        seed: int = 0,
        formulas_per_epoch_from: str | None = None,
        epoch: int = 0,
    ) -> None:
        check_settings("source 'handwriting': ", 2, count=count)
        check_settings("source 'handwriting': ", 0, epoch=epoch)
        check_settings("source 'handwriting': ", 1, max_tokens=max_tokens)
        if not 0 < validation < 1:
            raise Im2TexError(
                f"source 'handwriting': validation must be between 0 and 1, got {validation}."
            )
        self.glyphs = glyphs
        self.style = style
        self.resample_strokes = resample_strokes
        self.epoch = epoch
        self.formulas_per_epoch_from = formulas_per_epoch_from
        self.epoch_splits = None if formulas_per_epoch_from is None else EpochSplitBuilder(self)
        self.build_settings: dict[str, Any] = {
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
        """Selects formulas, typesets them and writes the store; an interrupted run resumes.

        Args:
            root: the data root.
            raw_data: a list of formulas, as for the source `arxiv`; by default
                `arxiv/formulas.tsv.xz` in the folder that `IM2TEX_DATA` names.
            labels: refused, because the labels are the formulas.

        Raises:
            Im2TexError: if there are no formulas or glyphs, TeX is not installed, or the store
                cannot be written. An earlier store stays intact.
        """
        refuse_labels(self.name, labels)
        path = locate_raw_data(raw_data, root, FORMULAS, formulas_hint(self.name))
        if not path.is_file():
            raise Im2TexError(
                f"{path} is a folder: source 'handwriting' needs a list of formulas (.tsv, .txt; "
                ".gz, .xz)."
            )
        bank = self._bank(root)
        fingerprint = {
            "version": _VERSION,
            "settings": self.build_settings,
            "epoch": self.epoch,
            "style": self.style,
            "origin": file_fingerprint(path),
            "glyphs": len(bank),
        }
        cache = StepCache(root / self.name, fingerprint)
        selection = cached_selection(cache, lambda: self._select(path, root))
        if not selection.formulas:
            raise Im2TexError(f"{path} leaves no training samples: {'; '.join(selection.lines)}.")
        fraction = self.build_settings["validation"]
        train = [f for f in selection.formulas if not is_held_out(f, fraction)]
        splits = {self.epoch_name(self.epoch): train}
        if not self.epoch:
            splits["validation"] = sorted(set(selection.formulas) - set(train))
        metadata = {
            "source": self.name,
            **fingerprint,
            "licence": bank.metadata.get("licences") or "none: the package's own font",
        }
        report = PreparationReport(lines=list(selection.lines))
        synthesizer = self._synthesizer(bank)
        with TexLayouter() as layouter:
            for split, formulas in splits.items():
                builder = LayoutBuilder(cache, layouter, synthesizer, split)
                report.splits[split] = write_split(
                    cache.staged / f"{split}.parquet",
                    builder.samples(formulas),
                    {**metadata, "split": split},
                )
                report.lines += _skipped_lines(split, builder)
                if not report.splits[split]:
                    self._report_empty(split, report)
        cache.publish()
        return report

    def ensure(self, root: Path) -> None:
        """Raises an error that names the command to run, unless the store fits the settings."""
        super().ensure(root)
        stored = self._stored_settings(root, self.train)
        conflicts = [
            f"{name}={value!r}, made with {stored.get(name)!r}"
            for name, value in self.build_settings.items()
            if name != "seed" and stored.get(name) != value
        ]
        if conflicts:
            raise Im2TexError(
                f"the store {root / self.name} was made with other settings: "
                f"{'; '.join(conflicts)}. Change data.source_args, or make it again with "
                "`im2tex data prepare handwriting`."
            )

    def split(self, root: Path, name: str) -> Split:
        """Opens a split, with the synthesizer that composes its ink."""
        split = super().split(root, name)
        split.synthesizer = self._synthesizer(self._bank(root))
        return split

    def epoch_name(self, epoch: int) -> str:
        """Returns the name of the training split of an epoch."""
        return f"train-{epoch}" if epoch else self.train

    def is_current(self, root: Path, epoch: int) -> bool:
        """Returns whether the training split of an epoch exists with these settings."""
        name = self.epoch_name(epoch)
        exists = name in self.available(root)
        return exists and (not epoch or self._stored_settings(root, name) == self.build_settings)

    def command(self, root: Path, epoch: int) -> list[str]:
        """Returns the command line that prepares the training split of an epoch."""
        settings = {**self.build_settings, "style": self.style, "epoch": epoch}
        if self.glyphs is not None:
            settings["glyphs"] = self.glyphs
        return [
            *(sys.executable, "-m", "im2tex", "data", "prepare", self.name, "--root", str(root)),
            *("--from", str(self.formulas_per_epoch_from)),
            *("--source_args", json.dumps(settings)),
        ]

    def _report_empty(self, split: str, report: PreparationReport) -> None:
        if split != "validation":
            raise Im2TexError(f"no training samples are left: {'; '.join(report.lines)}.")
        fraction = self.build_settings["validation"]
        report.lines.append(
            f"warning: validation is empty with validation={fraction:g}, so that no checkpoint can "
            "be the best one; raise count or validation"
        )

    def _synthesizer(self, bank: GlyphBank) -> HandwritingSynthesizer:
        composer = Composer(bank, _STYLES[self.style])
        return HandwritingSynthesizer(composer, self.build_settings["seed"], self.resample_strokes)

    def _stored_settings(self, root: Path, name: str) -> dict[str, Any]:
        settings: dict[str, Any] = read_metadata(self.path(root, name)).get("settings", {})
        return settings

    def _select(self, path: Path, root: Path) -> FormulaSelection:
        settings = self.build_settings
        count, max_tokens = settings["count"], settings["max_tokens"]
        if settings["formulas"] == "crohme_like":
            seed = settings["seed"] + self.epoch * _SEED_STEP
            return crohme_like(path, root, count, seed, max_tokens)
        return from_list(path, root, settings["labels"], count, max_tokens, self.epoch)

    def _bank(self, root: Path) -> GlyphBank:
        if self.glyphs == _BUILT_IN:
            return built_in_bank()
        path = Path(self.glyphs) if self.glyphs else root / _BANK
        if not path.exists():
            raise Im2TexError(
                f"the glyph bank {path} does not exist: make it with `im2tex data glyphs --out "
                f"{path}`, or set glyphs to '{_BUILT_IN}' in data.source_args for the package's "
                "own font."
            )
        return GlyphBank.load(path)


def _skipped_lines(split: str, builder: LayoutBuilder) -> list[str]:
    reasons = builder.skipped.most_common(_MAX_REASONS)
    lines = [f"{split}: {number:,} skipped: {reason}" for reason, number in reasons]
    rest = builder.skipped.total() - sum(number for _, number in reasons)
    return [*lines, f"{split}: {rest:,} skipped for other reasons"] if rest else lines
