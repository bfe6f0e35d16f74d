r"""Source `im2latex`: IM2LATEX-100K, the paper's own data set.

Section 4 of Deng et al. 2017. Training and validation leave out what the paper leaves out
(pictures over 500 x 160 pixels after halving, labels over 150 tokens, formulas that cannot be
read); the test keeps every formula, and one without a picture counts as wrong. The files come from
a person's folder: see `release`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from im2tex.data.preparation.printed.formulas import Candidate, forms
from im2tex.data.preparation.printed.paper_images import DPI
from im2tex.data.preparation.printed.released_images import images_by_name
from im2tex.data.preparation.printed.rendering import SplitLimits, SplitRenderer, render_candidates
from im2tex.data.preparation.printed.writing import publish
from im2tex.data.preparation.resumable import StepCache, fingerprint
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.im2latex.release import Release, read_release
from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.render import open_renderer
from im2tex.utils.progress import progress_bar
from im2tex.utils.raw_data import raw_data_folder

_VERSION = 1  # of what is made of the same files; a store of another one is made again
_MAX_TOKENS = 150
_WHERE = """IM2LATEX-100K is at https://zenodo.org/records/56198. Put im2latex_formulas.lst, the
lists of the three splits and, if wanted, formula_images.tar.gz into a folder, then:
  im2tex data prepare im2latex --from FOLDER"""


@SOURCES.register("im2latex")
class Im2LatexSource(Source):
    """IM2LATEX-100K: the released lists, with the released pictures or rendered from the formulas.

    Args:
        labels: `norm`, the paper's normal form, or `tok`, its plain token stream.
    """

    name: ClassVar[str] = "im2latex"

    def __init__(self, labels: Literal["norm", "tok"] = "norm") -> None:
        self.labels = labels

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads the lists, draws what has no picture, and writes the store.

        Goes on where it was interrupted.

        Args:
            root: the data root.
            raw_data: the folder of the release; without one, that in the folder that IM2TEX_DATA
                names.
            labels: refused: labels are the formulas themselves.

        Returns:
            Samples by split, and what there is to know about them.

        Raises:
            Im2TexError: if files are missing or do not fit, TeX is not installed where it is
                needed, or the store cannot be written. An earlier store is intact then.
        """
        if labels is not None:
            raise Im2TexError(
                "source 'im2latex' makes its labels from the formulas: leave out --labels."
            )
        path = _find(raw_data)
        release = read_release(path)
        left_out: Counter[str] = Counter()
        candidates = list(_candidates(release, left_out))
        made_of = {
            "version": _VERSION,
            "files": [fingerprint(file) for file in release.files(path)],
            "pictures": None if release.images is None else release.images.name,
            "normalised": release.normalised,
        }
        rules = {
            split: SplitLimits(everything=split == "test", undrawn=split == "test")
            for split in release.splits
        }
        folder = root / self.name
        if release.images is not None:
            cache = StepCache(folder, made_of)
            names = {one.extra["image"] for one in candidates}
            drawing = SplitRenderer(
                cache, candidates, rules, images_by_name(cache, release.images, names)
            )
            drawing.run()
        else:
            with open_renderer(dpi=DPI) as renderer:
                made_of["pictures"] = renderer.signature
                cache = StepCache(folder, made_of)
                drawing = SplitRenderer(cache, candidates, rules, render_candidates(renderer))
                drawing.run()
        about = {"source": self.name, "origin": path.name, **made_of}
        pictures = (
            f"pictures: {release.images.name}"
            if release.images is not None
            else f"pictures: rendered from the {'normalised ' * release.normalised}formulas"
        )
        counted = (f"{reason}: {number:,}" for reason, number in left_out.items())
        return publish(drawing, folder, about, [*release.notes, pictures, *counted])

    def ensure(self, root: Path) -> None:
        """Says how to make the store where there is none; a store of tests alone will do."""
        if not self.available(root):
            super().ensure(root)

    def split(self, root: Path, name: str) -> Split:
        """Opens a split, with the labels asked for."""
        split = super().split(root, name)
        if self.labels == "tok":
            tok = (text.split() for text in split.extras("tok"))
            split = split.relabel(tok, {"labels": "tok"})
        return split


def _find(raw_data: str | None) -> Path:
    if raw_data is not None:
        return Path(raw_data)
    folder = raw_data_folder("im2latex100k")
    if folder is None:
        raise Im2TexError(_WHERE)
    return folder


def _candidates(release: Release, left_out: Counter[str]) -> Iterator[Candidate]:
    """The formulas that a split may take; the test has all of them."""
    entries = [(split, entry) for split, some in release.splits.items() for entry in some]
    seen: set[tuple[str, str]] = set()
    with progress_bar("reading formulas", len(entries)) as shown:
        both = forms(entry.latex for _, entry in entries)
        for (split, entry), found in zip(entries, both, strict=True):
            shown.advance()
            # A formula of the test that cannot be read is labelled as it stands.
            norm, tok = found or (" ".join(entry.latex.split()),) * 2
            if split != "test" and found is None:
                left_out[f"{split}: left out, cannot be read"] += 1
                continue
            if split != "test" and len(norm.split()) > _MAX_TOKENS:
                left_out[f"{split}: left out, longer than {_MAX_TOKENS} tokens"] += 1
                continue
            if found is None:
                left_out[f"{split}: kept, but cannot be read"] += 1
            key = (
                entry.image if (split, entry.image) not in seen else f"{entry.image}-{entry.number}"
            )
            seen.add((split, entry.image))
            extra = {"image": entry.image, "index": entry.number}
            yield Candidate(key, split, entry.latex, norm, tok, extra)
