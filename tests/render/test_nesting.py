r"""The bound on TeX's work: nested, repeated and counted arguments."""

import random
import resource
import time
from contextlib import suppress

import pytest
from render_samples import NEIGHBOURS, needs_tex

from im2tex.render import Cause
from im2tex.render.markup import allowlist
from im2tex.render.markup.sanitizer import sanitize
from im2tex.render.rendering import RenderError
from im2tex.render.tex.renderer import TexRenderer

DEEP = {
    "optional argument in braces": (r"\sqrt[{}]{", "}"),
    "optional argument": (r"\sqrt[3]{", "}"),
    "optional argument behind a space": (r"\sqrt [ 3 ] {", "}"),
    "inside an optional argument": (r"\sqrt[{", r"}]{x}"),
    "delimited argument, second": (r"\root{}{}\of{", "}"),
    "delimited argument, first": (r"\root x{", r"}\of{x}"),
    "smash with braces in its bracket": (r"\smash[{b}]{", "}"),
    "smash": (r"\smash{", "}"),
    "arrow above": (r"\xrightarrow{", "}"),
    "arrow below": (r"\xrightarrow[{", "}]{x}"),
    "arrow, group in the bracket": (r"\xleftarrow[{x}]{", "}"),
    "overset, second": (r"\overset{x}{", "}"),
    "overset, first": (r"\overset{", "}{x}"),
    "underset of phantom": (r"\underset{x}{\phantom{", "}}"),
    "phantoms by turns": (r"\vphantom{\hphantom{", "}}"),
    "scripts between": (r"\phantom{x_{y}^{", "}}"),
    "fences between": (r"\boldsymbol{\left(", r"\right)}"),
    "arrays between": (r"\boldsymbol{\begin{matrix}", r"\end{matrix}}"),
    "math in text": (r"\text{$", "$}"),
    "math in text, by brackets": (r"\text{\(", r"\)}"),
    "math in emphasis": (r"\emph{$", "$}"),
    "choices": (r"\mathchoice{x}{x}{x}{", "}"),
    "numbers of lines": (r"\tag{$", "$}"),
    "words between command and argument": (r"\pmb  {", "}"),
    "comment between command and argument": ("\\pmb % {}\n{", "}"),
    "star": (r"\phantom*{", "}"),
    "continued fractions and text": (r"\cfrac[l]{\text{$", "$}}{x}"),
}

SECONDS = 10  # of processor time: more than needed, less than the minutes of a missing bound


@pytest.mark.parametrize("name", DEEP)
def test_nested_repeating_arguments_are_refused(name):
    opening, closing = DEEP[name]
    start = time.process_time()
    with pytest.raises(RenderError) as caught:
        sanitize(opening * 40 + "x" + closing * 40)
    assert caught.value.failure.cause is Cause.LIMIT
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    "markup",
    [
        r"\multicolumn{1}{*{1000000}{c}}{x}",
        r"\multicolumn{1000000}{c}{x}",
        r"\multicolumn {1}{" + "|" * 18_000 + "}{x}",
        r"\begin{array}{" + "|" * 18_000 + r"}x\end{array}",
        r"\begin{array}{" + "c" * 5_000 + r"}x\end{array}",
        r"\begin{array}{*{99}{*{99}{c}}}x\end{array}",
        r"\begin{array}{*9{*9{*9c}}}x\end{array}",
        r"\begin{array}{*{100}{c}*{101}{c}}x\end{array}",
        r"\begin{array}{*{999999999}{}}x\end{array}",
        r"\begin{array}{*1{*1{*1{*1{*1{c}}}}}}x\end{array}",
        r"\begin{tabular}{*{1000}{@{x}}}x\end{tabular}",
        r"\begin{array}{*{50}{c@{" + "x" * 500 + "}}}" + r"x\\" * 500 + r"\end{array}",
        r"\begin{array}{*{200}{c}}\end{array}" * 400,
        r"\begin{array}{c}\multicolumn{1}{*{200}{|}}{x}\end{array}" * 200,
        r"\begin{array}{c}\cline{1-1000000}x\end{array}",
        r"\begin{matrix}\hdotsfor{1000000}\end{matrix}",
        r"\begin{matrix}\hdotsfor[2]{1000000}\end{matrix}",
        r"\begin{alignedat}{1000000}x\end{alignedat}",
        r"\begin{alignat*}{1000000}x\end{alignat*}",
    ],
)
def test_too_many_columns_are_refused(markup):
    start = time.process_time()
    with pytest.raises(RenderError) as caught:
        sanitize(markup)
    assert caught.value.failure.cause is Cause.LIMIT
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    "markup",
    [
        r"\sqrt[3]{\sqrt[3]{\sqrt[n]{x}}}",
        r"\text{a $\text{b $\boldsymbol{x}$}$}",
        r"\overset{a}{\underset{b}{\overbrace{x}}}",
        r"\sqrt{" * 4 + "x" + "}" * 4,
        r"\sqrt{a}+" * 200 + "a",
        r"\frac{1}{" * 40 + "x" + "}" * 40,
        r"\begin{array}{|*{20}{c|}}" + r"a&b\\" * 40 + r"\end{array}",
        r"\begin{array}{*{2}{c}|*{2}{r@{\,}}}a\end{array}",
    ],
)
def test_nesting_of_real_formulas_passes(markup):
    sanitize(markup)


SLOTS = [
    rf"{command}{'{x}' * slot}{{#}}{'{x}' * (count - slot - 1)}"
    for command, count in sorted((allowlist.REPEATING | allowlist.ARGUMENTS).items())
    if command not in ("\\root", "\\buildrel", "\\multicolumn", "\\genfrac", "\\sideset")
    for slot in range(count)
]
SLOTS += [
    r"\text{$#$}",
    r"\mbox{$#$}",
    r"\textbf{a$#$}",
    r"\emph{$#$}",
    r"\sqrt[{}]{#}",
    r"\sqrt[{#}]{x}",
    r"\root{}{}\of{#}",
    r"\root#\of{x}",
    r"\smash[{b}]{#}",
    r"\xrightarrow[{#}]{x}",
    r"\xrightarrow[x]{#}",
    r"\buildrel{#}\over{x}",
    r"\left(#\right)",
    r"\genfrac(){0pt}{0}{#}{x}",
    r"\begin{array}{c@{#}c}x&x\\x\end{array}",
    r"\begin{array}{c}#\\#\end{array}",
    r"\begin{aligned}#&x\end{aligned}",
    r"\begin{array}{c}\multicolumn{1}{c@{#}}{x}\end{array}",
    r"\substack{#\\x}",
    r"x^{#}_{x}",
    r"{#\over x}",
    r"\matrix{#\cr x}",
    r"\hspace{1cm}\rule{1cm}{1pt}#",
    r"\raisebox{1pt}{$#$}",
]


def nest(rng):
    """A formula that is nested in one to three ways, sometimes twice on a level."""
    ways = rng.sample(SLOTS, rng.randint(1, 3))
    markup = "x"
    for _ in range(rng.choice([2, 3, 4, 5, 6, 8, 12, 25, 60])):
        markup = rng.choice(ways).replace("#", markup)
        if len(markup) > 15_000:
            break
    return markup * rng.choice([1, 1, 1, 2, 20])


def test_random_nests_with_much_work_are_refused():
    rng = random.Random(15)
    for _ in range(1500):
        markup = nest(rng)
        start = time.process_time()
        with suppress(RenderError):
            sanitize(markup)
        assert time.process_time() - start < SECONDS, markup[:200]


@needs_tex
def test_random_nests_render_fast_and_leave_neighbours_unchanged():
    rng = random.Random(16)
    with_neighbours = [part for _ in range(120) for part in (nest(rng), rng.choice(NEIGHBOURS))]
    renderer = TexRenderer(workers=1)
    try:
        alone = {formula: renderer.render_batch([formula])[0].png for formula in NEIGHBOURS}
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        found = renderer.render_batch(with_neighbours)
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    finally:
        renderer.close()
    assert [item.png for item in found[1::2]] == [alone[text] for text in with_neighbours[1::2]]
    assert not [
        formula[:200]
        for formula, item in zip(with_neighbours, found, strict=True)
        if item.failure and "too much time" in item.failure.reason
    ]
    # 240 formulas, and a fresh TeX behind each of them that is an error.
    assert seconds < 60
