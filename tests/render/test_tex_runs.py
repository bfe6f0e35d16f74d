"""What TeX says of its pages, and the time that it gets."""

from im2tex.render import Cause, Failure
from im2tex.render.tex.runs import limits_for, lost
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


def test_loss_belongs_to_the_page_behind_it():
    assert lost(OUTPUT) == {
        2: Failure(Cause.TEX, "the font rsfs10 has no character a"),
        4: Failure(Cause.TEX, r"\texttimes cannot be drawn in math"),
    }


def test_time_of_a_run_grows_with_its_formulas_up_to_the_limit():
    limits = SandboxLimits(seconds=20)
    assert [limits_for(n, limits).seconds for n in (1, 25, 250, 1000)] == [4, 5, 14, 20]
    assert limits_for(1, SandboxLimits(seconds=2)).seconds == 2
