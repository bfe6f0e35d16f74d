r"""Source `arxiv`: printed formulas from papers, selected as the data set of Deng et al. 2017.

As in section 4 of the paper, formulas of 40 to 1,024 characters are cut from papers without
duplicates, rendered at 200 dpi, cropped, padded and downsampled by 2, and labelled by their normal
form. Unlike there, splits are disjoint by paper, and samples are ordered by a hash of the formula,
so that a smaller data set is the beginning of a larger one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from im2tex.data.preparation.locating import locate_raw_data, refuse_labels
from im2tex.data.preparation.papers import read_papers
from im2tex.data.preparation.printed.formula_lists import is_list, read_list
from im2tex.data.preparation.printed.formulas import Formula, norm_digest
from im2tex.data.preparation.printed.paper_images import DPI
from im2tex.data.preparation.printed.rendering import SplitLimits, SplitRenderer, render_candidates
from im2tex.data.preparation.printed.settings import ArxivSettings
from im2tex.data.preparation.printed.split_plan import (
    PAPERS,
    SPLITS,
    plan_lines,
    plan_splits,
    planned_candidates,
)
from im2tex.data.preparation.printed.writing import publish_splits, with_labels
from im2tex.data.preparation.resumable import StepCache, file_fingerprint
from im2tex.data.shards import stored_splits
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.store import Split, read_metadata
from im2tex.errors import Im2TexError
from im2tex.render import open_renderer
from im2tex.utils.progress import progress_bar

VERSION = 1
"""Version of the preparation; stores of another version are made again."""

FORMULAS = "arxiv/formulas.tsv.xz"
"""The list of formulas below the folder that `IM2TEX_DATA` names."""


@SOURCES.register("arxiv")
class ArxivSource(Source):
    """Printed formulas from papers: from LaTeX sources or from a list of formulas.

    If `im2latex` is prepared under the same root, no split has formulas of its validation and test.

    In a preparation, settings that are not given are the paper's; afterwards they are the store's.
    One store serves every configuration that asks for a part of it: fewer samples, shorter labels,
    either form of the labels.

    Example:
        >>> source = ArxivSource(limit=40_000)
        >>> source.prepare(Path("data"), "formulas.tsv.xz")
        >>> source.split(Path("data"), "train")[0].image  # a PNG file

    Args:
        limit: samples in `train`; all if not given. The limits of `validation` and `test` are
            proportional by default.
        limit_validation: samples in `validation`.
        limit_test: samples in `test`.
        max_tokens: length of the longest label in `train` and `validation`; the paper: 150.
        labels: `norm` for the paper's normal form, `tok` for its plain token stream.

    Raises:
        Im2TexError: if a value is out of range.
    """

    name: ClassVar[str] = "arxiv"

    def __init__(
        self,
        limit: int | None = None,
        limit_validation: int | None = None,
        limit_test: int | None = None,
        max_tokens: int | None = None,
        labels: Literal["norm", "tok"] = "norm",
    ) -> None:
        self.labels = labels
        self.settings = ArxivSettings(limit, limit_validation, limit_test, max_tokens)

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads the formulas, renders them and writes the store; an interrupted run resumes.

        Args:
            root: the data root.
            raw_data: a list of formulas (a `.tsv` file with a column `raw`, optionally `paper` and
                `kind`, or a `.txt` file with a formula in each line; compressed or not), or LaTeX
                sources (a folder or an archive); by default `arxiv/formulas.tsv.xz` in the folder
                that `IM2TEX_DATA` names.
            labels: refused, because the labels are the formulas.

        Raises:
            Im2TexError: if there are no formulas, TeX is not installed, or the store cannot be
                written. An earlier store stays intact.
        """
        refuse_labels(self.name, labels)
        path = locate_raw_data(raw_data, root, FORMULAS, formulas_hint(self.name))
        settings = self.settings.resolved()
        excluded = _im2latex_tests(root)
        folder = root / self.name
        with open_renderer(dpi=DPI) as tex:
            fingerprint = {
                "version": VERSION,
                "origin": file_fingerprint(path),
                "settings": settings,
                "excluded": sha256("".join(sorted(excluded)).encode()).hexdigest(),
                "renderer": tex.signature,
            }
            cache = StepCache(folder, fingerprint)
            planned = cache.step("plan", lambda: _plan(path, settings, excluded))
            limits = {
                split: SplitLimits(settings["limits"].get(split), keep_oversized=split == "test")
                for split in SPLITS
            }
            rendered = SplitRenderer(
                cache, planned_candidates(planned), limits, render_candidates(tex)
            )
            rendered.run()
        notes = list(plan_lines(planned))
        if not rendered.counts["train"].taken:
            reasons = "; ".join([*notes, *rendered.report_lines()])
            raise Im2TexError(f"{path} leaves no training samples: {reasons}")
        return publish_splits(rendered, folder, {"source": self.name, **fingerprint}, notes)

    def ensure(self, root: Path) -> None:
        """Raises an error that names the command to run, unless the store fits the settings."""
        store = self.path(root, self.train)
        given = self.settings.to_yaml()
        arguments = f" --source_args '{given}'" if given else ""
        command = f"`im2tex data prepare {self.name} --from FORMULAS --root {root}{arguments}`"
        if self.train not in self.available(root):
            raise Im2TexError(f"{store} does not exist. Make it with {command}.")
        metadata = read_metadata(store)
        if metadata.get("version") != VERSION:
            raise Im2TexError(
                f"{store} was made by another version of im2tex. Make it again with {command}."
            )
        if conflicts := self.settings.conflicts_with(metadata["settings"]):
            raise Im2TexError(
                f"{store} was made with other settings: {'; '.join(conflicts)}. Change "
                f"data.source_args, or make it again with {command}."
            )

    def split(self, root: Path, name: str) -> Split:
        """Opens the part of a split that matches the settings.

        Raises:
            Im2TexError: if the split does not exist, or has too few matching samples.
        """
        return with_labels(self.settings.select(super().split(root, name), name), self.labels)


def formulas_hint(source: str) -> str:
    """Returns the message that asks for the raw data of a source of formulas."""
    return (
        f"source '{source}' needs formulas: pass --from a list of them (.tsv, .txt; .gz, .xz), or "
        "LaTeX sources (a folder or an archive)."
    )


def _plan(path: Path, settings: Mapping[str, Any], excluded: set[str]) -> pa.Table:
    counts: Counter[str] = Counter()

    def formulas() -> Iterator[Formula]:
        if path.is_file() and is_list(path):
            yield from read_list(path)
            return
        with progress_bar("reading papers") as shown:
            for paper in read_papers(path):
                shown.advance()
                counts[PAPERS] += 1
                counts.update(paper.skipped)
                for found in paper.formulas:
                    yield Formula(found.latex, paper.name, found.kind)

    return plan_splits(formulas(), settings, excluded, counts)


def _im2latex_tests(root: Path) -> set[str]:
    """Returns the keys of the formulas in the validation and test splits of `im2latex`."""
    folder = root / "im2latex"
    return {
        norm_digest(" ".join(tokens))
        for name in {"validation", "test"}.intersection(stored_splits(folder))
        for tokens in Split(folder / f"{name}.parquet").tokens()
    }
