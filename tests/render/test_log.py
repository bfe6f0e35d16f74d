"""TeX's terminal output, and the time limit of a run."""

from im2tex.render import Cause, Failure
from im2tex.render.tex.engine import batch_limits
from im2tex.render.tex.log import incomplete_pages
from im2tex.render.tex.sandbox import SandboxLimits

OUTPUT = """This is pdfTeX (preloaded format=im2tex)
(./batch.tex [1]
Missing character: There is no a in font rsfs10!
Missing character: There is no b in font rsfs10!
[2] [3]

LaTeX Warning: Command \\texttimes invalid in math mode on input line 3.

Missing character: There is no \ufffd in font cmr12!
[4] [5]
LaTeX Font Warning: Size substitutions with differences
[6] )
"""


def test_incomplete_pages_assigns_messages_to_the_page_behind_them():
    assert incomplete_pages(OUTPUT) == {
        2: Failure(Cause.TEX, "the font rsfs10 has no character a"),
        4: Failure(Cause.TEX, r"\texttimes cannot be drawn in math"),
    }


def test_batch_limits_grow_with_the_formulas_up_to_the_limit():
    limits = SandboxLimits(seconds=20)
    assert [batch_limits(n, limits).seconds for n in (1, 25, 250, 1000)] == [4, 5, 14, 20]
    assert batch_limits(1, SandboxLimits(seconds=2)).seconds == 2
