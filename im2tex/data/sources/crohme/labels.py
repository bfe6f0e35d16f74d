"""Labels of CROHME inks: chosen from a file's own truths, or taken from a file of captions."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

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
class Truth:
    """What an InkML file says its formula is.

    Attributes:
        label: the canonical tokens; empty where the file says nothing.
        source: `latex`, `mathml`, `best effort` (LaTeX that does not parse, token by token), or
            `none`.
        math: the MathML truth's tokens with their ids, or None.
    """

    label: CanonicalTokens
    source: str
    math: CanonicalTokens | None


def own_truth(inkml: Inkml) -> Truth:
    """Chooses between a file's LaTeX and its MathML.

    LaTeX is what the captions in use were made from, so it comes first. But either may be wrong,
    and there is a witness: the symbols that the annotators found in the ink. Where those cover
    every stroke, contradict the LaTeX and bear out the MathML, the MathML is taken. The same
    where the LaTeX has an empty script, which is what one exporter made of a script it lost.
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
    if math is not None and (not latex or (latex != math and _borne_out(inkml, latex, math))):
        return Truth(math, "mathml", math)
    if latex:
        return Truth(latex, "latex", math)
    if inkml.latex and (bare := crohme.canonicalize_or_tokenize(inkml.latex)):
        return Truth(crohme.annotate_tokens(bare), "best effort", math)
    return Truth([], "none", math)


def _borne_out(inkml: Inkml, latex: CanonicalTokens, math: CanonicalTokens) -> bool:
    """Whether the written symbols speak for the MathML and against the LaTeX."""
    named = [token for group in inkml.groups for token in mathml.symbol_tokens(group.truth)]
    seen = inventory([crohme.CanonicalToken(token) for token in named])
    if inventory(math) != seen:
        return False
    if _EMPTY_SCRIPT.search(inkml.latex or ""):
        return True
    grouped = {stroke for group in inkml.groups for stroke in group.strokes}
    return len(grouped) == len(inkml.ink.strokes) and inventory(latex) != seen


def aligned_ink(inkml: Inkml, label: CanonicalTokens, math: CanonicalTokens | None) -> Ink:
    """The ink with its symbols in canonical names, each with its position in the label."""
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
        token = (
            label[position].token if position >= 0 else "".join(mathml.symbol_tokens(group.truth))
        )
        symbols.append(Symbol("-" if token == "\\frac" else token, group.strokes, position))
    return Ink(inkml.ink.strokes, tuple(symbols))


@dataclass
class Captions:
    """Labels from a file, in place of the inks' own.

    Attributes:
        path: the file.
        by_split: tokens by split and key, where the file names splits.
        by_key: tokens by key, where it does not.
    """

    path: Path
    by_split: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    by_key: dict[str, list[str]] = field(default_factory=dict)

    def get(self, split: str, key: str) -> list[str] | None:
        """The tokens of an ink, or None if the file has none for it."""
        tokens = self.by_split.get((split, key))
        return self.by_key.get(key) if tokens is None else tokens

    def require(self, split: str, keys: Iterable[str]) -> bool:
        """Whether the file labels a split.

        Returns:
            True if it labels all the keys, False if none.

        Raises:
            Im2TexError: if it labels some; the message counts the others and names the first.
        """
        keys = sorted(keys)
        missing = [key for key in keys if self.get(split, key) is None]
        if not missing or len(missing) == len(keys):
            return not missing
        raise Im2TexError(
            f"{self.path} has no label for {len(missing)} of the {len(keys)} inks of "
            f"{split}, the first of them '{missing[0]}'. Add them, or leave out --labels to use "
            "the inks' own truth."
        )


def read_captions(path: Path) -> Captions:
    """Reads a file of labels.

    Two forms are known: with a header that names at least the columns `id` (or `inkml`) and
    `label`, and perhaps `split`; or two columns without one, id and label, as the WAP release has
    them. Columns are separated by tabs, a label's tokens by spaces. Ids are file names without
    folder and ending.

    Raises:
        Im2TexError: if the file cannot be read, has neither form, or labels an ink twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Im2TexError(f"--labels {path} cannot be read: {error}") from error
    rows = [
        (number, row)
        for number, row in enumerate(
            csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE), 1
        )
        if row
    ]
    if not rows:
        raise Im2TexError(f"--labels {path} is empty.")
    header = [name.strip().lower() for name in rows[0][1]]
    named = "label" in header and ("id" in header or "inkml" in header)
    columns = header if named else ["id", "label"]
    captions = Captions(path)
    for number, row in rows[named:]:
        if len(row) < len(columns):
            raise Im2TexError(
                f"--labels {path}, line {number}: {len(row)} columns where {len(columns)} belong. "
                "Expected are id, a tab, and the tokens of the label with spaces between them, or "
                "a header with the columns id and label."
            )
        _add(captions, dict(zip(columns, row, strict=False)), number)
    return captions


def _add(captions: Captions, row: dict[str, str], number: int) -> None:
    key = re.sub(r"(?i)\.(inkml|png|bmp|jpe?g)$", "", row.get("id") or row["inkml"])
    key = PurePosixPath(key).name
    tokens = row["label"].split()
    split = _split_name(row.get("split", ""))
    known = captions.by_split.get((split, key)) if split else captions.by_key.get(key)
    if known is not None and known != tokens:
        raise Im2TexError(
            f"--labels {captions.path}, line {number}: '{key}' has a second, different label. "
            "Where training and test inks share names, the file needs a column 'split'."
        )
    if split:
        captions.by_split[split, key] = tokens
    else:
        captions.by_key[key] = tokens


def _split_name(name: str) -> str:
    """`train_2014` and `train` are one training set here."""
    name = name.strip().lower()
    return "train" if name.startswith(("train", "valid")) else name


def captioned(tokens: Sequence[str]) -> CanonicalTokens:
    """A caption's tokens as a label."""
    return crohme.annotate_tokens(tokens)
