"""One engine for all images, named; its failures cost no other metric."""

import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.evaluation import rendered_pairs
from im2tex.evaluation.rendered_pairs import Engine, choose_engine, render_formulas, render_pairs
from im2tex.render import Cause, Failure, Rendering
from im2tex.render.rendering import encode_png


class Bars:
    """Draws each formula as a bar as wide as its text; `{` cannot be drawn."""

    engine = "tex"
    signature = "bars"

    def __init__(self, fails_after=None):
        self.drawn = []
        self.fails_after = fails_after

    def render(self, formulas):
        for formula in formulas:
            if len(self.drawn) == self.fails_after:
                raise Im2TexError("the disk is full.")
            self.drawn.append(formula)
            if "{" in formula:
                yield Rendering(failure=Failure(Cause.TEX, "a brace"))
            else:
                yield Rendering(png=encode_png(np.zeros((20, 10 * len(formula)), np.uint8)))

    @contextmanager
    def open(self, name, cache=None):
        yield self


@pytest.fixture
def bars(monkeypatch):
    renderer = Bars()
    monkeypatch.setattr(rendered_pairs, "open_renderer", renderer.open)
    return renderer


def test_render_formulas_gives_an_image_or_none(bars):
    first, none, last = render_formulas(["x", "{", "x"], Engine("tex"))
    assert first == last == encode_png(np.zeros((20, 10), np.uint8))
    assert none is None
    assert render_formulas(["x"], Engine("none")) == [None]


def test_render_pairs_renders_each_formula_once(bars):
    pairs = [("xx", "xx"), ("x", "xx"), (None, "x"), ("{", "x"), ("x", "{"), ("", "x")]
    found = render_pairs(pairs, Engine("tex"))
    assert sorted(bars.drawn) == sorted({"xx", "x", "{"})
    assert found.signature == "bars"
    images = [one.scores for one in found.pairs]
    assert [one["image_match"] for one in images] == [True] + [False] * 5
    assert [one["image_exact"] for one in images] == [True] + [False] * 5
    with_reference = ["image_match_released" in one for one in images]
    assert with_reference == [True, True, True, True, False, True]
    # Of a wide bar and one half as wide half the columns are edits; a missing picture costs all.
    edits = [(one["image_edits"], one["image_columns"]) for one in images]
    assert edits == [(0, 20), (10, 20), *[(10, 10)] * 4]
    reasons = [
        tuple(part and part.reason for part in (one.prediction, one.reference))
        for one in found.pairs
    ]
    assert reasons == [
        (None, None),
        (None, None),
        (None, None),  # there was nothing to draw
        ("a brace", None),
        (None, "a brace"),
        ("an empty formula", None),
    ]


def test_render_pairs_engine_failure_leaves_no_images_and_a_reason(bars):
    bars.fails_after = 1
    found = render_pairs([("x", "y")], Engine("tex"))
    assert found.engine == Engine("none", "tex failed: the disk is full.")
    assert (found.signature, found.pairs) == (None, [None])


def test_render_pairs_without_engine_renders_nothing():
    assert render_pairs([("x", "y")] * 2, Engine("none")).pairs == [None, None]


def installed(monkeypatch, *there):
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(rendered_pairs, "find_spec", lambda name: name if name in there else None)


def test_choose_engine_auto_is_the_first_installed_with_a_reason(monkeypatch):
    installed(monkeypatch, "latex", "dvipng")
    assert choose_engine() == Engine("tex")
    installed(monkeypatch, "latex", "matplotlib")
    assert choose_engine() == Engine("builtin", "dvipng not on the path")
    installed(monkeypatch)
    assert choose_engine() == Engine(
        "none",
        "latex and dvipng not on the path; matplotlib not installed (pip install matplotlib)",
    )
    assert choose_engine("none") == Engine("none")


def test_choose_engine_not_installed_is_an_error(monkeypatch):
    installed(monkeypatch, "matplotlib")
    assert choose_engine("builtin") == Engine("builtin")
    with pytest.raises(Im2TexError, match="engine tex: latex and dvipng not on the path"):
        choose_engine("tex")
    with pytest.raises(Im2TexError, match="no engine 'word'; there are auto, tex, builtin, none"):
        choose_engine("word")
