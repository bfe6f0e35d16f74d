"""The attention page in chromium: keys, pointer, address."""

import json
import os
import re
import shutil
import subprocess
from html import unescape

import pytest
from attention_factory import make_record

from im2tex.visualization.attention.page import attention_page
from im2tex.visualization.attention.record import END

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="needs chromium")

DOWN = """
const out = {};
const chips = () => [...document.querySelectorAll("#chips button")];
const at = () => chips().findIndex((one) => one.getAttribute("aria-current") === "true");
const key = (name) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const lit = (x, y) => {
  const heat = document.getElementById("heat");
  const across = Math.floor(x * heat.width), down = Math.floor(y * heat.height);
  return heat.getContext("2d").getImageData(across, down, 1, 1).data[3] > 100;
};
const name = () => document.getElementById("name").textContent;
"""


def run(page, tmp_path, fragment="", script=None):
    """The DOM of a page in the browser; with a script, the content of its `out`."""
    path = tmp_path / "page.html"
    if script is not None:
        tail = 'document.body.append(Object.assign(document.createElement("pre"), '
        tail += '{ id: "out", textContent: JSON.stringify(out) }));'
        page = page.replace("</body>", f"<script>{DOWN}{script}{tail}</script></body>")
    path.write_text(page, encoding="utf-8")
    flags = ["--headless", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    flags += ["--window-size=1200,900", "--virtual-time-budget=2000", "--dump-dom"]
    if os.name == "posix" and os.geteuid() == 0:
        flags.append("--no-sandbox")  # which root cannot have
    command = [BROWSER, *flags, f"file://{path}{fragment}"]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=120)
    if script is None:
        return found.stdout
    return json.loads(unescape(re.search('<pre id="out">(.*?)</pre>', found.stdout)[1]))


def test_keys_and_pointer_select_steps(tmp_path):
    page = attention_page([make_record(name="one"), make_record(("z", END), name="two")], {})
    found = run(
        page,
        tmp_path,
        script="""
        out.start = at();
        key("ArrowRight"); key("ArrowRight"); out.right = at();
        key("ArrowLeft"); out.left = at();
        key("End"); key("ArrowRight"); out.end = at();
        key("Escape"); out.escape = at();
        chips()[1].dispatchEvent(new PointerEvent("pointerenter", { pointerType: "mouse" }));
        out.hover = at();
        // Step t is all on cell t: of six a row, of which step 2 attends to the third.
        const box = document.getElementById("stage").getBoundingClientRect();
        const there = { bubbles: true, clientX: box.left + box.width * 2.5 / 6,
          clientY: box.top + box.height / 6 };
        const stage = document.getElementById("stage");
        stage.dispatchEvent(new PointerEvent("pointermove", there));
        out.here = chips().map((one) => Number(one.style.getPropertyValue("--here")));
        stage.dispatchEvent(new MouseEvent("click", there));
        out.click = at();
        key("ArrowDown"); out.down = name(); key("ArrowDown"); out.still = name();
        key(" "); out.playing = [at(), document.getElementById("play").textContent];
        """,
    )
    assert found == {
        "start": -1,
        "right": 1,
        "left": 0,
        "end": 3,
        "escape": -1,
        "hover": 1,
        "here": [0, 0, 1, 0],
        "click": 2,
        "down": "two",
        "still": "two",
        "playing": [0, "Pause"],
    }


def test_heatmap_lies_over_the_cells(tmp_path):
    """Cells of 8 pixels on an image of 48 x 24, drawn from the encoded maps."""
    found = run(
        attention_page([make_record(["x"] * 18)], {}),
        tmp_path,
        script="""
        out.lit = chips().map((_, step) => {
          key(step ? "ArrowRight" : "Home");
          const cells = [];
          for (let row = 0; row < 3; row += 1) for (let column = 0; column < 6; column += 1) {
            if (lit((column + 0.5) / 6, (row + 0.5) / 3)) cells.push(6 * row + column);
          }
          return cells;
        });
        """,
    )
    assert found["lit"] == [[step] for step in range(18)]


def test_chosen_coarse_cell_is_framed(tmp_path):
    found = run(
        attention_page([make_record(["x", "y", "z"], 4, 6, coarse=True)], {}),
        tmp_path,
        script="""
        // Blocks of 2 x 2 of 6 x 4 cells: step 2, on cell 2, lies in the second of three a row.
        key("End");
        const edges = (x) => lit(x / 6 + 0.002, 0.25);
        out.frames = [0, 2, 4].map(edges);
        """,
    )
    assert found["frames"] == [False, True, False]


def test_page_opens_the_step_of_its_address(tmp_path):
    hostile = "<img src=x onerror=document.title='taken'>"
    records = [make_record(), make_record(("a", hostile, END), name=hostile)]
    dom = run(attention_page(records, {}), tmp_path, "#image=2&token=2")
    assert "<title>Attention of the model</title>" in dom
    current = re.search('<button[^>]*aria-current="true"[^>]*>([^<]*)</button>', dom)
    assert unescape(current[1]) == hostile
    assert '<output id="place" for="slider">2 / 3</output>' in dom
