"""Source `crohme`: the handwritten formulas of the CROHME competitions."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import ClassVar

from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, Prepared, Source
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol
from im2tex.ink.inkml import Inkml, InkmlError, read_inkml
from im2tex.latex import crohme, mathml
from im2tex.latex.alignment import Written, align, inventory
from im2tex.latex.crohme import Leaf
from im2tex.latex.tokens import LatexError


@SOURCES.register("crohme")
class CrohmeSource(Source):
    """The CROHME competitions' inks."""

    name: ClassVar[str] = "crohme"
    tests: ClassVar[tuple[str, ...]] = ("test_2014", "test_2013")

    def prepare(
        self, root: Path, origin: str | None = None, labels: Path | None = None
    ) -> Prepared:
        """See `Source.prepare`."""
        if origin is None:
            origin = os.environ["IM2TEX_DATA"] + "/crohme/crohme_2014.tar.xz"
        splits: dict[str, list[Sample]] = {}
        prepared = Prepared()
        aligned = total = 0
        with tarfile.open(origin) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                stream = tar.extractfile(member) if member.isfile() else None
                if path.suffix != ".inkml" or stream is None:
                    continue
                split = {"TestINKMLGT": "test_2013", "TestEM2014GT": "test_2014"}.get(
                    path.parts[-2], "train"
                )
                try:
                    inkml = read_inkml(stream.read(), member.name)
                except InkmlError as error:
                    prepared.lines.append(str(error))
                    continue
                sample = _sample(inkml, path)
                assert sample.ink is not None
                aligned += sum(s.position >= 0 for s in sample.ink.symbols)
                total += len(sample.ink.symbols)
                if split == "train" and _held_out(sample.tokens):
                    split = "validation"
                splits.setdefault(split, []).append(sample)
        if not splits:
            raise Im2TexError(f"{origin} holds no InkML file.")
        for split, samples in splits.items():
            prepared.splits[split] = write_split(
                self.path(root, split), samples, {"source": self.name}
            )
        prepared.lines.append(f"symbols aligned with a token: {aligned} of {total}")
        sources = Counter(s.extra["label_source"] for ss in splits.values() for s in ss)
        prepared.lines.append(f"labels from {dict(sources)}")
        return prepared


def _held_out(tokens: tuple[str, ...]) -> bool:
    digest = hashlib.sha256(" ".join(tokens).encode()).digest()
    return int.from_bytes(digest[:8], "big") < 2**64 // 10


def _sample(inkml: Inkml, path: PurePosixPath) -> Sample:
    math: list[Leaf] | None = None
    if inkml.math is not None:
        try:
            math = mathml.canonical(inkml.math)
        except mathml.MathmlError:
            math = None
    latex: list[Leaf] | None = None
    if inkml.latex:
        try:
            latex = crohme.leaves(inkml.latex)
        except LatexError:
            latex = None
    seen = inventory([Leaf(t) for g in inkml.groups for t in mathml.symbol(g.truth)])
    covered = {i for g in inkml.groups for i in g.strokes} == set(range(len(inkml.ink.strokes)))
    label, source = latex, "latex"
    if math is not None and latex != math:
        if latex is None or (covered and inventory(latex) != seen and inventory(math) == seen):
            label, source = math, "mathml"
    if label is None:
        label, source = [Leaf(t) for t in crohme.best_effort(inkml.latex or "")], "best effort"
    written = [
        Written(g.truth, g.href, min(float(inkml.ink.strokes[i][:, 0].min()) for i in g.strokes))
        for g in inkml.groups
    ]
    positions = align(label, math, written)
    symbols = tuple(
        Symbol(
            "-"
            if p >= 0 and label[p].token == "\\frac"
            else label[p].token
            if p >= 0
            else "".join(mathml.symbol(g.truth)),
            g.strokes,
            p,
        )
        for g, p in zip(inkml.groups, positions, strict=True)
    )
    return Sample(
        key=path.stem,
        latex=inkml.latex or "",
        tokens=tuple(leaf.token for leaf in label),
        ink=Ink(inkml.ink.strokes, symbols),
        extra={
            "writer": inkml.writer,
            "collection": path.parts[-2],
            "file": str(path),
            "label_source": source,
        },
    )
