# ruff: noqa: RUF002
r"""Characters beyond ASCII as LaTeX: x² is `x^{2}`, ≤ is `\leq`, 𝑥 is `x`.

Invisible characters (zero-width spaces, direction marks, soft hyphens) are removed, spaces of any
width become plain spaces, and a character that LaTeX's usual fonts cannot draw is an error with its
Unicode name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NoReturn

from im2tex.latex import character_table as table
from im2tex.latex.normal_form.text_mode import MarkupPiece, PieceContext, iter_pieces
from im2tex.latex.tokens import LatexError

_NO_INK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_STROKE = "\u0338"  # the combining stroke of a negation
_RADICAND = re.compile(r"\s*(?=\{)|([0-9]+|[^\W\d_])")
_KINDS = frozenset(["<font>", "<wide>", "<narrow>", "<compat>", "<noBreak>", "<small>"])


def to_ascii(source: str) -> str:
    r"""Markup in ASCII that draws the same.

    >>> to_ascii("x² ≤ ½")
    'x^{2} \\leq  \\frac{1}{2}'

    Args:
        source: the markup; returned unchanged if it is ASCII already.

    Raises:
        LatexError: for a character without markup, with its Unicode name.
    """
    if source.isascii():
        return source
    source = _without_invisible(unicodedata.normalize("NFC", source))
    return _AsciiConverter(source).convert()


_INVISIBLE = "\ufeff"


def _without_invisible(source: str) -> str:
    """The markup without invisible characters, and with plain spaces."""
    source = "".join(map(_plain_space, source))
    # An invisible character may separate a command from a letter.
    source = re.sub(rf"(\\[A-Za-z]+){_INVISIBLE}+(?=[^\W\d_])", r"\1 ", source)
    return source.replace(_INVISIBLE, "")


def _plain_space(character: str) -> str:
    """A plain space for any space, `_INVISIBLE` for any character without ink."""
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category[0] == "Z" or character == "\x85":
        return " "
    selector = "VARIATION SELECTOR" in unicodedata.name(character, "")
    return _INVISIBLE if category == "Cf" or selector or character in _NO_INK else character


_MARKUP = {
    **table.PLAIN,
    **{character: f"{command} " for character, command in table.COMMANDS.items()},
    **{character: "'" * primes for character, primes in table.PRIMES.items()},
}
_RAISED = re.compile(r"(?<!\\)\^\s*\{\s*(?:\\prime\s*)*$")
_RAISED_PIECES = 40


class _AsciiConverter:
    """One pass over the markup.

    Args:
        source: the markup, in NFC and without invisible characters.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []

    def convert(self) -> str:
        found = list(iter_pieces(self.source))
        number = 0
        while number < len(found):
            piece = found[number]
            self.at = piece.start
            after = number + 1
            while after < len(found) and _is_combining(found[after].text):
                after += 1
            marks = [mark.text for mark in found[number + 1 : after]]
            if piece.text.isascii() and not marks:
                self.out.append(piece.text)
            elif piece.text[0] == "\\":
                self.at += not piece.text.isascii()
                self._refuse(marks[0] if marks else piece.text[1])
            elif piece.context is PieceContext.TEXT:
                self._put(self._in_text(piece.text, marks))
            elif not marks and (kind := _script_kind(piece.text)):
                after = self._script(found, number, kind)
            elif not marks and piece.text in table.ROOTS:
                after = self._root(found, number)
            else:
                self._put(self._accented(piece.text, marks))
            number = after
        return "".join(self.out)

    def _put(self, markup: str) -> None:
        if markup[:2] == "^{" and (self._script_sign() == "^" or self._is_in_primes()):
            markup = f"{markup[2:-1]} "  # the degree sign
        alone = len(markup) == 1 or re.fullmatch(r"\\[A-Za-z]+ ", markup)
        self.out.append(markup if alone or not self._script_sign() else f"{{{markup}}}")

    def _script_sign(self) -> str:
        """The `^` or `_` directly in front; empty if there is none."""
        before = "".join(self.out[-4:]).rstrip()
        return before[-1:] if before[-1:] in ("^", "_") and before[-2:-1] != "\\" else ""

    def _is_in_primes(self) -> bool:
        """Whether a superscript is open whose contents so far are primes."""
        return bool(_RAISED.search("".join(self.out[-_RAISED_PIECES:])))

    def _script(self, found: list[MarkupPiece], start: int, kind: str) -> int:
        """Converts a run of raised or lowered characters, primes included; returns its end."""
        end = start
        while end < len(found) and _script_kind(found[end].text) in (kind, "'"):
            end += 1
        if kind == "'":
            # Primes, perhaps with raised characters behind them, which are one superscript.
            while end < len(found) and _script_kind(found[end].text) in ("^", "'"):
                kind = "^"
                end += 1
        run = [piece.text for piece in found[start:end]]
        sign = self._script_sign()
        raised = self._is_in_primes()
        if kind == "'" and not sign and not raised:
            self.out.append("'" * sum(table.PRIMES[character] for character in run))
            return end
        inside = "".join(
            "\\prime " * table.PRIMES[c] if c in table.PRIMES else self._expand(c) for c in run
        )
        if raised and kind != "_":
            self.out.append(inside)
            return end
        # Behind a written sign, the characters are the script of that sign.
        has_sign = sign and kind in (sign, "'")
        self.out.append(f"{'' if has_sign else kind}{{{inside.strip()}}}")
        return end

    def _root(self, found: list[MarkupPiece], start: int) -> int:
        """Converts a radical sign and the number or letter behind it; returns their end."""
        sign = found[start].text
        match = _RADICAND.match(self.source, self.at + 1)
        if match is None:
            if table.ROOTS[sign] != "\\sqrt":
                self._refuse(sign)
            self._put("\\surd ")
            return start + 1
        if match[1] is None:
            self._put(table.ROOTS[sign])
            return start + 1
        end = start + 1
        while end < len(found) and found[end].start < match.end():
            end += 1
        inside = "".join(self._accented(piece.text, []) for piece in found[start + 1 : end])
        self._put(f"{table.ROOTS[sign]}{{{inside.strip()}}}")
        return end

    def _in_text(self, character: str, marks: list[str]) -> str:
        if not marks and character in table.TEXT:
            return table.TEXT[character]
        base, marks = _taken_apart(character, marks)
        base = table.DOTLESS.get(base, base)
        if base.isascii() and base.isalpha() and all(mark in table.TEXT_ACCENTS for mark in marks):
            for mark in marks:
                base = f"{table.TEXT_ACCENTS[mark]}{{{base}}}"
            return base
        kind = _script_kind(character)
        if not marks and kind in ("^", "_"):
            markup = f"{kind}{{{self._expand(character).strip()}}}"
        else:
            markup = self._accented(character, marks).strip()
        return markup if re.fullmatch(r"[A-Za-z0-9 .,;:!?/()\[\]*+=-]+", markup) else f"${markup}$"

    def _accented(self, character: str, marks: list[str]) -> str:
        """The markup of a character in math, with the accents over it."""
        if marks and marks[-1] == _STROKE and len(marks) == 1:
            return f"\\not {self._character(character)}"
        if not marks and (character.isascii() or character in _MARKUP):
            return self._character(character)
        base, marks = _taken_apart(character, marks)
        if not marks:
            return self._character(character)
        if unicodedata.category(base)[0] not in ("L", "N"):
            self._refuse(marks[0] if character == base else character)
        markup = {"i": "\\imath", "j": "\\jmath"}.get(base) or self._character(base).strip()
        for mark in marks:
            if mark not in table.ACCENTS:
                self._refuse(character if character != base else mark)
            if mark in ("\u0305", "\u0332"):  # lines leave a letter its dot
                markup = {"\\imath": "i", "\\jmath": "j"}.get(markup, markup)
            markup = f"{table.ACCENTS[mark]}{{{markup}}}"
        return markup

    def _character(self, character: str) -> str:
        """The markup of one character in math."""
        known = character in _MARKUP or character.isascii()
        return _MARKUP.get(character, character) if known else self._expand(character)

    def _expand(self, character: str) -> str:
        """The markup of a character by its Unicode decomposition."""
        kind, _, codes = unicodedata.decomposition(character).partition(" ")
        parts = [chr(int(code, 16)) for code in codes.split()]
        if kind == "<fraction>" and parts[-1] != "\u2044":
            above, _, below = "".join(parts).partition("\u2044")
            return f"\\frac{{{above}}}{{{below}}}"
        if kind not in _KINDS | {"<super>", "<sub>"} or " " in parts:
            self._refuse(character)
        markup = "".join(
            table.ESCAPED[part] + " " if part in table.ESCAPED else self._part(character, part)
            for part in parts
        )
        return self._in_font(character, parts[0], markup) if kind == "<font>" else markup

    def _part(self, whole: str, part: str) -> str:
        if not (part.isascii() or part in _MARKUP or unicodedata.decomposition(part)):
            self._refuse(whole)
        return self._accented(part, [])

    def _in_font(self, character: str, letter: str, markup: str) -> str:
        name = unicodedata.name(character, "")
        for part, font, letters in table.FONTS:
            if part in name:
                if letter.isascii() and not re.fullmatch(f"[{letters}]", letter):
                    self._refuse(character)
                bold = "\\boldsymbol" if "BOLD" in name else ""
                command = font if letter.isascii() else bold
                return f"{command}{{{markup.strip()}}}" if command else markup
        return markup

    def _refuse(self, character: str) -> NoReturn:
        name = unicodedata.name(character, "not a character of Unicode")
        reason = f"U+{ord(character):04X} ({name}) has no markup in formulas"
        raise LatexError(reason, self.at, self.source)


def _is_combining(text: str) -> bool:
    return not text.isascii() and unicodedata.category(text[0])[0] == "M"


def _taken_apart(character: str, marks: list[str]) -> tuple[str, list[str]]:
    """A letter and its accents as separate characters."""
    whole = unicodedata.normalize("NFD", character)
    return whole[0], [*whole[1:], *marks]


def _script_kind(text: str) -> str:
    """`^` for a raised character, `_` for a lowered character, `'` for a prime, otherwise empty."""
    if text.isascii():
        return ""
    if text in table.PRIMES:
        return "'"
    kind = unicodedata.decomposition(text[0]).partition(" ")[0] if len(text) == 1 else ""
    return {"<super>": "^", "<sub>": "_"}.get(kind, "")
