"""Layouts of real formulas, from the folder IM2TEX_DATA."""

import csv
import lzma
import os
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from render_samples import needs_tex

from im2tex.render import Cause
from im2tex.render.layout.layout import Layout, strip_delimiter
from im2tex.render.layout.layouter import TexLayouter

pytestmark = needs_tex

# Tokens that never draw, and commands whose arguments are no ink.
MUTE = frozenset(["{", "}", "^", "_", "&", "\\\\", "~"])
COUNT = 400


def real(name):
    folder = os.environ.get("IM2TEX_DATA")
    if not folder:
        pytest.skip(f"IM2TEX_DATA is not set: it names the folder with {name}")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"there is no {name} in IM2TEX_DATA ({folder})")
    return path


def printed():
    with lzma.open(real("arxiv/formulas.tsv.xz"), "rt", encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["norm"] for row in islice(rows, 0, 50 * COUNT, 50)]


def handwritten():
    with real("crohme/captions.tsv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        labels = [row["label"] for row in islice(rows, 0, 25 * COUNT, 25)]
    return [label.replace("\\lt", "<").replace("\\gt", ">") for label in labels]


@pytest.fixture(scope="module")
def layouter():
    with TexLayouter(workers=2) as found:
        yield found


@pytest.mark.parametrize(("formulas", "least"), [(printed, 0.97), (handwritten, 1.0)])
def test_layouts_of_real_formulas_match_all_ink(layouter, formulas, least):
    found = list(layouter.layout(formulas()))
    layouts = [one for one in found if isinstance(one, Layout)]
    assert len(layouts) >= least * len(found)
    # What has no layout is no formula to TeX either; ink whose token is unknown there is none.
    failures = Counter(one.cause for one in found if not isinstance(one, Layout))
    assert failures[Cause.UNSUPPORTED] == 0


def test_layouts_of_crohme_place_every_written_token(layouter):
    for layout in layouter.layout(handwritten()):
        tokens = layout.tokens
        written = {i for i, token in enumerate(tokens) if token not in MUTE}
        # The brackets of a root's degree are not written.
        for i, token in enumerate(tokens):
            if token == "\\sqrt" and tokens[i + 1] == "[":
                written -= {i + 1, tokens.index("]", i)}
        assert {one.position for one in layout.placed} == written
        for one in layout.placed:
            spelled = tokens[one.position]
            assert one.token == strip_delimiter(spelled) or one.token in spelled
