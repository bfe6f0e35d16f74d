"""The attention page: its data, and that it needs no other file."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from attention_factory import make_record
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from im2tex.visualization.attention.page import attention_page, encode_maps
from im2tex.visualization.attention.record import END


class Page(HTMLParser):
    """The elements, and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.inside = [], {}
        self.open = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        self.open = attributes.get("id", tag) if tag in ("script", "style") else None

    def handle_data(self, text):
        if self.open:
            self.inside[self.open] = self.inside.get(self.open, "") + text

    def handle_endtag(self, tag):
        self.open = None

    @property
    def data(self):
        return json.loads(self.inside["data"])


def decode_maps(maps):
    """The weights, decoded as `encode_maps` documents."""
    levels = np.frombuffer(base64.b64decode(maps["levels"]), np.uint8)
    levels = levels.reshape(len(maps["peaks"]), *maps["grid"])
    return levels / 255 * np.array(maps["peaks"])[:, None, None]


WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 300)),
    elements=st.one_of(st.just(0.0), st.floats(0, 1, width=32)),
    fill=st.just(0.0),
)


@settings(deadline=None, max_examples=50)
@given(WEIGHTS)
def test_encode_maps_keeps_weights_to_half_a_level(weights):
    found = decode_maps(encode_maps(weights))
    peaks = weights.max((1, 2), keepdims=True)
    assert found.shape == weights.shape
    assert (np.abs(found - weights) <= peaks * (0.51 / 255 + 1e-3) + 1e-9).all()


def test_page_holds_records_and_differences_from_gold():
    record = make_record(coarse=True, gold=["x", "-", "y"])
    page = Page(attention_page([record, record], {"model": "tiny"}))
    assert page.data["about"] == [["model", "tiny"]]
    one, _ = page.data["images"]
    assert one["tokens"] == ["x", "+", "y", END]
    assert one["prediction"] == "x+y"
    assert one["gold"]["edits"] == 1
    assert one["gold"]["wrong"] == [False, True, False]
    np.testing.assert_allclose(decode_maps(one["fine"]), record.fine)
    np.testing.assert_allclose(decode_maps(one["coarse"]), record.coarse)
    # Steps 0 and 1 lie in the first block of 2 x 2 cells, 2 and 3 in the second.
    assert one["coarse"]["chosen"] == [0, 0, 1, 1]
    assert one["effective_cells"] == [1, 1, 1, 1]  # all on one cell


def test_heatmap_of_coarse_attention_is_the_block_probability():
    """The edge cuts off the last block: it has two fine cells, the block above has four."""
    coarse = np.array([[[0.6, 0.0], [0.4, 0.0]]], np.float32)
    shares = np.array([[[0.15, 0.15], [0.15, 0.15], [0.2, 0.2]]], np.float32)
    record = replace(
        make_record(("x",), h=3, w=4),
        fine=np.pad(shares, ((0, 0), (0, 0), (0, 2))),
        coarse=coarse,
        coarse_stride=(16, 16),
        lookups=np.array([[4, 0]]),
    )
    (one,) = Page(attention_page([record], {})).data["images"]
    expected = [[[0.6, 0.6, 0, 0], [0.6, 0.6, 0, 0], [0.4, 0.4, 0, 0]]]
    np.testing.assert_allclose(decode_maps(one["fine"]), expected, atol=0.6 / 255)
    np.testing.assert_allclose(decode_maps(one["coarse"]), coarse, atol=0.6 / 255)
    assert record.chosen_coarse == [0]
    # e to the entropy of 0.6 and 0.4: coarse cells were scored.
    assert record.effective_cells == pytest.approx([0.6**-0.6 * 0.4**-0.4])


def test_effective_cells_of_uniform_attention():
    fine = np.zeros((1, 2, 4), np.float32)
    fine[0, 0] = 0.25
    assert make_record(tokens=("x",), h=2, w=4, fine=fine).effective_cells == pytest.approx([4])


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "{{script}}",
    "{{data}}",
    "\u2028'\"&amp;\x00\ud800",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_page_escapes_text(text):
    plain = Page(attention_page([make_record()], {"model": "m"}))
    record = make_record((text, END), name=text, gold=[text], top_k=[[(text, 0.5)]] * 2)
    page = Page(attention_page([record], {text: text}))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    one = page.data["images"][0]
    assert (one["name"], one["tokens"][0], one["gold"]["tokens"]) == (text, text, [text])
    assert page.inside["script"] == plain.inside["script"]


def test_page_requests_nothing():
    page = Page(attention_page([make_record()], {}))
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag, attributes in page.elements:
        assert tag != "link"
        assert not {"src", "href", "style"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?:|url\(|@import|import\(|fetch\(", page.inside["script"])
    assert not re.search(r"https?:|url\(|@import", page.inside["style"])


def test_page_replaces_numbers_that_are_not_finite():
    fine = np.full((1, 2, 2), np.nan, np.float32)
    log_p = np.array([-np.inf], np.float32)
    page = Page(attention_page([make_record(("x",), 2, 2, fine=fine, log_probability=log_p)], {}))
    one = page.data["images"][0]
    assert one["log_probability"] == [None]
    assert not decode_maps(one["fine"]).any()
    assert not one["finished"]
