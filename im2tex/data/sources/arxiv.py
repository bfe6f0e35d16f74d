r"""Source `arxiv`: a data set of printed formulas made in the paper's way.

Section 4 of Deng et al. 2017: formulas are cut from papers, kept between 40 and 1,024 characters,
each only once; rendered at 200 dpi, cropped, padded, halved; brought to the normal form. Unlike
there, splits are cut by paper, so that no paper is in two of them, and their order is that of a
hash of the formula: a smaller data set is the beginning of a larger one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from im2tex.data.preparation.download import download, is_url
from im2tex.data.preparation.papers import read_papers
from im2tex.data.preparation.printed import statistics
from im2tex.data.preparation.printed.formula_lists import is_list, read_list
from im2tex.data.preparation.printed.formulas import Formula, digest, forms
from im2tex.data.preparation.printed.paper_images import DPI
from im2tex.data.preparation.printed.rendering import SplitLimits, SplitRenderer, render_candidates
from im2tex.data.preparation.printed.settings import Settings
from im2tex.data.preparation.printed.split_plan import PAPERS, SPLITS, candidates, plan, plan_lines
from im2tex.data.preparation.printed.writing import publish
from im2tex.data.preparation.resumable import StepCache, fingerprint
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.store import Split, read_metadata
from im2tex.errors import Im2TexError
from im2tex.render import open_renderer
from im2tex.utils.progress import progress_bar
from im2tex.utils.raw_data import raw_data_folder

VERSION = 1  # of what is made of the same formulas; a store of another one is made again


@SOURCES.register("arxiv")
class ArxivSource(Source):
    """Printed formulas cut from papers: made from LaTeX sources or a ready list of formulas.

    Settings that are not given are, in a preparation, the paper's; later, those of the store. So
    a store serves every configuration that asks for a part of it: fewer samples, shorter labels,
    one kind, either form of the labels.

    Args:
        limit: samples in `train`; all if not given. `validation` and `test` are cut in
            proportion, unless they have limits of their own.
        limit_validation: samples in `validation`.
        limit_test: samples in `test`.
        kinds: `d` for displays, `i` for formulas within a line; both if not given.
        max_tokens: longest label in `train` and `validation`; the paper: 150.
        labels: `norm`, the paper's normal form, or `tok`, its plain token stream.
        min_characters: formulas are longer than this; the paper: 40.
        max_characters: and shorter than this; the paper: 1024.
        validation: share of the papers that goes to `validation`; the paper: 0.09.
        test: share of the papers that goes to `test`; the paper: 0.1.
        exclude: a list of formulas that no split may hold, such as the tests of another data
            set. Those of a store of `im2latex` under the same root are always left out.

    Raises:
        Im2TexError: for a value out of range.
    """

    name: ClassVar[str] = "arxiv"

    def __init__(
        self,
        limit: int | None = None,
        limit_validation: int | None = None,
        limit_test: int | None = None,
        kinds: list[Literal["d", "i"]] | None = None,
        max_tokens: int | None = None,
        labels: Literal["norm", "tok"] = "norm",
        min_characters: int | None = None,
        max_characters: int | None = None,
        validation: float | None = None,
        test: float | None = None,
        exclude: str | None = None,
    ) -> None:
        self.labels = labels
        self.exclude = exclude
        self.settings = Settings(
            limits={"train": limit, "validation": limit_validation, "test": limit_test},
            kinds=None if kinds is None else sorted(set(kinds)),
            max_tokens=max_tokens,
            min_characters=min_characters,
            max_characters=max_characters,
            validation=validation,
            test=test,
        )

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Reads the formulas, draws them and writes the store; goes on where it was interrupted.

        Args:
            root: the data root.
            raw_data: a list of formulas (`.tsv` with a header that names a column `raw`, and
                perhaps `paper` and `kind`; `.txt` with a formula a line; either may be packed), or
                LaTeX sources: a folder or an archive. Without one, the list in the folder that
                IM2TEX_DATA names.
            labels: refused: labels are the formulas themselves.

        Returns:
            Samples by split, and what there is to know about them.

        Raises:
            Im2TexError: if there are no formulas, or TeX is not installed, or the store cannot be
                written. An earlier store is intact then.
        """
        if labels is not None:
            raise Im2TexError("source 'arxiv' makes its labels from the formulas: leave --labels.")
        path = find(raw_data, root)
        settings = self.settings.filled()
        excluded = _excluded(root, self.exclude)
        folder = root / self.name
        with open_renderer(dpi=DPI) as renderer:
            made_of = {
                "version": VERSION,
                "origin": fingerprint(path),
                "settings": settings,
                "excluded": sha256("".join(sorted(excluded)).encode()).hexdigest(),
                "renderer": renderer.signature,
            }
            cache = StepCache(folder, made_of)
            planned = cache.step("plan", lambda: _plan(path, settings, excluded))
            rules = {
                split: SplitLimits(settings["limits"].get(split), everything=split == "test")
                for split in SPLITS
            }
            drawing = SplitRenderer(cache, candidates(planned), rules, render_candidates(renderer))
            drawing.run()
            if not drawing.tallies["train"].taken:
                raise Im2TexError(
                    f"{path} leaves nothing to train on: "
                    + "; ".join([*plan_lines(planned), *statistics.lines(drawing.tallies)])
                )
            about = {"source": self.name, "origin": path.name, **made_of}
            return publish(drawing, folder, about, plan_lines(planned))

    def ensure(self, root: Path) -> None:
        """Says how to make the store where it is missing, or cannot give what is asked for."""
        store = self.path(root, self.train)
        command = f"`im2tex data prepare {self.name} --from FORMULAS --root {root}"
        given = self.settings.given()
        command += f" --source_args '{given}'`" if given else "`"
        if not store.exists():
            raise Im2TexError(f"{store} does not exist. Make it with {command}.")
        about = read_metadata(store)
        if about.get("version") != VERSION:
            raise Im2TexError(
                f"{store} was made by another version of im2tex. Make it again with {command}."
            )
        differences = self.settings.differences(about["settings"])
        if differences:
            raise Im2TexError(
                f"{store} was made with other settings: {'; '.join(differences)}. Change "
                f"data.source_args, or make it again with {command}."
            )

    def split(self, root: Path, name: str) -> Split:
        """Opens a split: the part of it that the settings ask for, with the labels they ask for.

        Raises:
            Im2TexError: if there is none of that name, or too few samples are as asked for.
        """
        split = self.settings.select(super().split(root, name), name)
        if self.labels == "tok":
            tok = (text.split() for text in split.extras("tok"))
            split = split.relabel(tok, {"labels": "tok"})
        return split


def find(raw_data: str | None, root: Path, source: str = "arxiv") -> Path:
    """Where the formulas are.

    Args:
        raw_data: a path or a URL.
        root: the data root, where a URL is downloaded to.
        source: whose formulas they are to be.

    Raises:
        Im2TexError: if nothing says it, or there is nothing.
    """
    if raw_data is None:
        folder = raw_data_folder("arxiv")
        if folder is None:
            raise Im2TexError(
                f"source '{source}' needs formulas: --from a list of them (.tsv, .txt; .gz, .xz), "
                "or LaTeX sources (a folder or an archive)."
            )
        raw_data = str(folder / "formulas.tsv.xz")
    path = download(raw_data, root / "downloads") if is_url(raw_data) else Path(raw_data)
    if not path.exists():
        raise Im2TexError(
            f"{path} does not exist. Give --from a list of formulas or LaTeX sources."
        )
    return path


def _read(path: Path, settings: Mapping[str, Any], counts: Counter[str]) -> Iterator[Formula]:
    """The formulas of a list or of papers; what is left out of papers is counted by reason."""
    if path.is_file() and is_list(path):
        yield from read_list(path)
        return
    lengths = settings["min_characters"] + 1, settings["max_characters"] - 1
    with progress_bar("reading papers") as shown:
        for paper in read_papers(path, lengths=lengths):
            shown.advance()
            counts[PAPERS] += 1
            counts.update(paper.left_out)
            for found in paper.formulas:
                yield Formula(found.latex, paper.name, found.kind)


def _plan(path: Path, settings: Mapping[str, Any], excluded: set[str]) -> pa.Table:
    counts: Counter[str] = Counter()
    return plan(_read(path, settings, counts), settings, excluded, counts)


def _excluded(root: Path, file: str | None) -> set[str]:
    """Keys of the formulas that no split may hold."""
    found: set[str] = set()
    for split in ("validation", "test"):
        store = root / "im2latex" / f"{split}.parquet"
        if store.exists():
            found |= {digest(" ".join(tokens)) for tokens in Split(store).tokens()}
    if file is not None:
        both = forms(formula.latex for formula in read_list(Path(file)))
        found |= {digest(one[0]) for one in both if one is not None}
    return found
