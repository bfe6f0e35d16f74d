r"""Source `im2latex`: IM2LATEX-100K, the data set of Deng et al. 2017.

As in section 4 of the paper, training and validation skip images over 500 x 160 pixels after
downsampling, labels over 150 tokens, and formulas that cannot be parsed. The test split keeps every
formula, and a formula without an image counts as wrong. See `release` for the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from im2tex.data.preparation.locating import locate_raw_data, refuse_labels
from im2tex.data.preparation.printed.formulas import Candidate, normalize_both
from im2tex.data.preparation.printed.paper_images import DPI
from im2tex.data.preparation.printed.released_images import images_by_name
from im2tex.data.preparation.printed.rendering import (
    RenderFn,
    SplitLimits,
    SplitRenderer,
    render_candidates,
)
from im2tex.data.preparation.printed.writing import publish_splits, with_labels
from im2tex.data.preparation.resumable import StepCache, file_fingerprint
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.im2latex.release import Release, read_release
from im2tex.data.store import Split
from im2tex.render import open_renderer
from im2tex.utils.progress import progress_bar

_VERSION = 1  # of the preparation; stores of another version are made again
_MAX_TOKENS = 150
_HINT = """IM2LATEX-100K is at https://zenodo.org/records/56198. Put im2latex_formulas.lst, the
lists of the three splits and, if wanted, formula_images.tar.gz into a folder, then:
  im2tex data prepare im2latex --from FOLDER"""


@SOURCES.register("im2latex")
class Im2LatexSource(Source):
    """IM2LATEX-100K: the released lists, with the released images or with rendered formulas.

    Example:
        >>> source = Im2LatexSource()
        >>> source.prepare(Path("data"), "im2latex100k")
        >>> source.split(Path("data"), "test")[0].tokens

    Args:
        labels: `norm` for the paper's normal form, `tok` for its plain token stream.
    """

    name: ClassVar[str] = "im2latex"

    def __init__(self, labels: Literal["norm", "tok"] = "norm") -> None:
        self.labels = labels

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads the lists, renders formulas without an image, and writes the store.

        An interrupted preparation resumes.

        Args:
            root: the data root.
            raw_data: folder of the release; by default `im2latex100k` in the folder that
                `IM2TEX_DATA` names.
            labels: refused, because the labels are the formulas.

        Raises:
            Im2TexError: if files are missing or inconsistent, TeX is needed and not installed, or
                the store cannot be written. An earlier store stays intact.
        """
        refuse_labels(self.name, labels)
        path = locate_raw_data(raw_data, root, "im2latex100k", _HINT)
        release = read_release(path)
        skipped: Counter[str] = Counter()
        candidates = list(_candidates(release, skipped))
        fingerprint: dict[str, Any] = {
            "version": _VERSION,
            "files": [file_fingerprint(file) for file in release.files(path)],
            "pictures": None if release.images is None else release.images.name,
            "normalised": release.normalised,
        }
        folder = root / self.name

        def render(cache: StepCache, render_fn: RenderFn) -> SplitRenderer:
            limits = {
                split: SplitLimits(keep_oversized=split == "test", keep_unrendered=split == "test")
                for split in release.splits
            }
            renderer = SplitRenderer(cache, candidates, limits, render_fn)
            renderer.run()
            return renderer

        if release.images is not None:
            cache = StepCache(folder, fingerprint)
            names = {candidate.extra["image"] for candidate in candidates}
            rendered = render(cache, images_by_name(cache, release.images, names))
            images = f"images: {release.images.name}"
        else:
            with open_renderer(dpi=DPI) as tex:
                fingerprint["pictures"] = tex.signature
                rendered = render(StepCache(folder, fingerprint), render_candidates(tex))
            images = f"images: rendered from the {'normalised ' * release.normalised}formulas"
        metadata = {"source": self.name, "origin": path.name, **fingerprint}
        counts = (f"{reason}: {count:,}" for reason, count in skipped.items())
        return publish_splits(rendered, folder, metadata, [*release.notes, images, *counts])

    def ensure(self, root: Path) -> None:
        """Raises an error that names the command to run, unless at least one split exists."""
        if not self.available(root):
            super().ensure(root)

    def split(self, root: Path, name: str) -> Split:
        """Opens a split with the labels of the settings."""
        return with_labels(super().split(root, name), self.labels)


def _candidates(release: Release, skipped: Counter[str]) -> Iterator[Candidate]:
    """Yields the formulas that a split may take, all of them for the test; counts the others."""
    entries = [(split, entry) for split, some in release.splits.items() for entry in some]
    seen: set[tuple[str, str]] = set()
    with progress_bar("reading formulas", len(entries)) as shown:
        normalized = normalize_both(entry.latex for _, entry in entries)
        for (split, entry), found in zip(entries, normalized, strict=True):
            shown.advance()
            # The label of an unreadable test formula is its markup.
            norm, tok = found or (" ".join(entry.latex.split()),) * 2
            if split != "test" and found is None:
                skipped[f"{split}: skipped, cannot be read"] += 1
                continue
            if split != "test" and len(norm.split()) > _MAX_TOKENS:
                skipped[f"{split}: skipped, longer than {_MAX_TOKENS} tokens"] += 1
                continue
            if found is None:
                skipped[f"{split}: kept, but cannot be read"] += 1
            is_new = (split, entry.image) not in seen
            seen.add((split, entry.image))
            key = entry.image if is_new else f"{entry.image}-{entry.number}"
            extra = {"image": entry.image, "index": entry.number}
            yield Candidate(key, split, entry.latex, norm, tok, extra)
