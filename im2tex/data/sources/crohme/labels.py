"""Labels of CROHME samples: from a file's own truth, or from a file of captions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from im2tex.data.preparation.labels_file import read_labels
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol
from im2tex.ink.inkml import Inkml
from im2tex.latex.crohme import canonical as crohme
from im2tex.latex.crohme import mathml
from im2tex.latex.crohme.alignment import WrittenSymbol, align_symbols, inventory
from im2tex.latex.crohme.canonical import CanonicalTokens
from im2tex.latex.tokens import LatexError

_EMPTY_SCRIPT = re.compile(r"[_^]\s*\{\s*\}")


@dataclass(frozen=True, slots=True)
class InkTruth:
    """The formula of an InkML file, from its annotations.

    Attributes:
        label: canonical tokens; empty if the file has no truth.
        source: `latex`, `mathml`, `best effort` (LaTeX that does not parse, token by token), or
            `none`.
        math: tokens of the MathML truth with their ids, or None.
    """

    label: CanonicalTokens
    source: str
    math: CanonicalTokens | None


def own_truth(inkml: Inkml) -> InkTruth:
    """Chooses between the LaTeX and the MathML truth of a file.

    LaTeX comes first, because the published captions were made from it. MathML is used if LaTeX is
    missing, or if the annotated symbols of the ink support MathML and contradict LaTeX.
    """
    math: CanonicalTokens | None = None
    if inkml.math is not None:
        try:
            math = mathml.canonical_from_mathml(inkml.math) or None
        except mathml.MathMLError:
            math = None
    latex: CanonicalTokens | None = None
    if inkml.latex:
        try:
            latex = crohme.canonical_tokens(inkml.latex)
        except LatexError:
            latex = None
    if math is not None and (
        not latex or (latex != math and _symbols_support_mathml(inkml, latex, math))
    ):
        return InkTruth(math, "mathml", math)
    if latex:
        return InkTruth(latex, "latex", math)
    if inkml.latex and (tokens := crohme.canonicalize_or_tokenize(inkml.latex)):
        return InkTruth(crohme.annotate_tokens(tokens), "best effort", math)
    return InkTruth([], "none", math)


def _symbols_support_mathml(inkml: Inkml, latex: CanonicalTokens, math: CanonicalTokens) -> bool:
    """Whether the annotated symbols match the MathML truth and not the LaTeX truth."""
    named = [token for group in inkml.groups for token in mathml.symbol_tokens(group.truth)]
    written = inventory([crohme.CanonicalToken(token) for token in named])
    if inventory(math) != written:
        return False
    if _EMPTY_SCRIPT.search(inkml.latex or ""):  # one exporter loses the content of scripts
        return True
    grouped = {stroke for group in inkml.groups for stroke in group.strokes}
    return len(grouped) == len(inkml.ink.strokes) and inventory(latex) != written


def aligned_ink(inkml: Inkml, label: CanonicalTokens, math: CanonicalTokens | None) -> Ink:
    """Returns the ink with its symbols in canonical names, each with its position in the label."""
    written = [
        WrittenSymbol(
            group.truth,
            group.href,
            min(float(inkml.ink.strokes[i][:, 0].min()) for i in group.strokes),
        )
        for group in inkml.groups
    ]
    symbols = []
    for group, position in zip(inkml.groups, align_symbols(label, math, written), strict=True):
        names = [label[position].token] if position >= 0 else mathml.symbol_tokens(group.truth)
        token = "".join(names)
        symbols.append(Symbol("-" if token == "\\frac" else token, group.strokes, position))
    return Ink(inkml.ink.strokes, tuple(symbols))


@dataclass
class Captions:
    """Labels from a file, used instead of the samples' own.

    Attributes:
        path: the file.
        by_split: tokens by split and key; the split is "" if the file names none.
    """

    path: Path
    by_split: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def get(self, split: str, key: str) -> list[str] | None:
        """Returns the tokens of a sample, or None if the file does not label it."""
        return self.by_split.get((split, key), self.by_split.get(("", key)))

    def require(self, split: str, keys: Iterable[str]) -> bool:
        """Returns whether the file labels all samples of a split, or none of them.

        Raises:
            Im2TexError: if the file labels some of the samples.
        """
        keys = sorted(keys)
        missing = [key for key in keys if self.get(split, key) is None]
        if not missing or len(missing) == len(keys):
            return not missing
        raise Im2TexError(
            f"{self.path} has no label for {len(missing)} of the {len(keys)} samples of {split}, "
            f"the first of them '{missing[0]}'. Add them, or remove --labels to use the samples' "
            "own truth."
        )


def read_captions(path: Path) -> Captions:
    """Reads a file of labels, see `read_labels`.

    Names are file names, with or without folder and ending. A column `split` is necessary if
    training and test samples share names. Spaces separate the tokens of a label.

    Raises:
        Im2TexError: if the file cannot be read, has another form, or labels a sample twice.
    """
    captions = Captions(path)
    try:
        labels = read_labels(path)
    except Im2TexError as error:
        raise Im2TexError(f"--labels: {error}") from error
    if not labels:
        raise Im2TexError(f"--labels: {path} is empty.")
    for label in labels:
        key = re.sub(r"(?i)\.(inkml|png|bmp|jpe?g)$", "", PurePosixPath(label.name).name)
        tokens = label.latex.split()
        split = label.split.lower()
        if split.startswith(("train", "valid")):  # such as `train_2014`: one training set here
            split = "train"
        if captions.by_split.setdefault((split, key), tokens) != tokens:
            raise Im2TexError(
                f"--labels: {label.where}: '{key}' has a second, different label. If training and "
                "test samples share names, add a column 'split'."
            )
    return captions
