# ruff: noqa: RUF001
"""Characters beyond ASCII: drawn by commands, without ink and left out, or refused by name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.character_table import COMMANDS
from im2tex.latex.characters import to_ascii
from im2tex.latex.normalize import NormalizationForm, normalize
from im2tex.latex.tokens import LatexError
from im2tex.render.markup.allowlist import WORDS


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Raised and lowered characters, in runs.
        ("x²", "x^{2}"),
        ("x¹²", "x^{12}"),
        ("x⁻¹", "x^{-1}"),
        ("x₁²", "x_{1}^{2}"),
        ("aᵢⱼ", "a_{ij}"),
        ("20°", r"20^{\circ}"),
        # Primes, alone and with exponents.
        ("f′", "f'"),
        ("f″", "f''"),
        ("f’", "f'"),
        ("x′²", r"x^{\prime 2}"),
        ("x²′", r"x^{2\prime}"),
        # Behind a sign or in the braces of a script they stand in it.
        ("x^′", r"x^{\prime}"),
        ("x^″y", r"x^{\prime \prime}y"),
        ("x^{′′}", r"x^{\prime \prime }"),
        ("x^{\\prime′}", r"x^{\prime\prime }"),
        ("x^²", "x^{2}"),
        ("x_₁^²", "x_{1}^{2}"),
        ("x^{²}", "x^{2}"),
        ("x^{a²}", "x^{a^{2}}"),
        ("20^°C", r"20^\circ C"),
        ("20^{°}", r"20^{\circ }"),
        ("x_²", "x_^{2}"),
        # Symbols.
        ("a−b", "a-b"),
        ("a–b", "a-b"),
        ("a×b", r"a\times b"),
        ("a≤b", r"a\leq b"),
        ("a→b", r"a\rightarrow b"),
        ("αβ", r"\alpha \beta "),
        ("⟨x⟩", r"\langle x\rangle "),
        ("=\u0338", r"\neq "),
        ("x^α", r"x^\alpha "),
        ("√2x", r"\sqrt{2}x"),
        ("√{x+1}", r"\sqrt{x+1}"),
        ("√(x)", r"\surd (x)"),
        ("½", r"\frac{1}{2}"),
        # Fonts.
        ("ℝ", r"\mathbb{R}"),
        ("𝑥", "x"),
        ("𝐱", r"\mathbf{x}"),
        ("𝜶", r"\boldsymbol{\alpha}"),
        ("𝓗", r"\mathcal{H}"),
        ("𝔤", r"\mathfrak{g}"),
        # Accents: composed, decomposed, on a dotless letter, in a script.
        ("é", r"\acute{e}"),
        ("e\u0301", r"\acute{e}"),
        ("x̂", r"\hat{x}"),
        ("ï", r"\ddot{\imath}"),
        ("x_é", r"x_{\acute{e}}"),
        # Other widths and ligatures; what LaTeX would read as markup is escaped.
        ("ｘ＋１", "x+1"),
        ("５％", r"5\% "),
        ("ﬁ", "fi"),
        # Without ink.
        ("x\u200b^2", "x^2"),
        ("f\u2061(x)", "f(x)"),
        ("\ufeffx\u00ad\ufe0f\u202e", "x"),
        ("\\alpha\u200bx", r"\alpha x"),
        ("a\u00a0b", "a b"),
        # Text has its own ways.
        ("\\text{café}", r"\text{caf\'{e}}"),
        ("\\text{m²}", r"\text{m$^{2}$}"),
        ("\\text{“a” – ≤}", r"\text{``a'' -- $\leq$}"),
        ("\\text{$é$}", r"\text{$\acute{e}$}"),
    ],
)
def test_to_ascii_character_gives_its_command(source, expected):
    assert to_ascii(source) == expected


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("\\text{中}", "U+4E2D (CJK UNIFIED IDEOGRAPH-4E2D)"),
        ("я", "U+044F (CYRILLIC SMALL LETTER YA)"),
        ("ß", "U+00DF (LATIN SMALL LETTER SHARP S)"),
        ("𝟙", "U+1D7D9 (MATHEMATICAL DOUBLE-STRUCK DIGIT ONE)"),
        ("①", "U+2460 (CIRCLED DIGIT ONE)"),
        ("\ufffd", "U+FFFD (REPLACEMENT CHARACTER)"),
        ("\ue000", "U+E000 (not a character of Unicode)"),
        ("+\u0301", "U+0301 (COMBINING ACUTE ACCENT)"),
        ("\\é", "U+00E9 (LATIN SMALL LETTER E WITH ACUTE)"),
    ],
)
@pytest.mark.parametrize("mode", list(NormalizationForm))
def test_to_ascii_unknown_character_is_an_error_with_its_name(source, name, mode):
    with pytest.raises(LatexError) as caught:
        normalize(source, mode)
    assert name in caught.value.reason


def test_to_ascii_error_reports_the_position():
    with pytest.raises(LatexError) as caught:
        to_ascii("a+中")
    assert caught.value.position == 2


def test_character_table_commands_are_all_drawn():
    assert not set(COMMANDS.values()) - WORDS


@pytest.mark.parametrize("mode", list(NormalizationForm))
def test_normalize_ignores_characters_in_comments_and_labels(mode):
    assert normalize("x\\label{中}% 文", mode) == "x"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8))
def test_to_ascii_drops_no_visible_character(source):
    try:
        markup = to_ascii(source)
    except LatexError:
        return
    assert markup.isascii()
    inked = [
        c
        for c in unicodedata.normalize("NFC", source)
        if not c.isspace() and unicodedata.category(c) not in ("Cf", "Mn")
    ]
    # Spaces, format characters, variation selectors and Hangul fillers have no ink.
    assert bool(markup.strip()) == bool(set(inked) - set("\u115f\u1160\u3164\uffa0"))


def test_normalize_unicode_and_command_have_one_form():
    for mode in NormalizationForm:
        assert normalize("x²≤α", mode) == normalize(r"x^{2}\leq\alpha", mode)
