"""Attention as a page to look at in a browser: one file that fetches nothing.

The tokens of a reading stand below its picture; at each of them the page lights up the weights of
the fine cells and the coarse cell that was chosen. What it shows is data within the page, which
its script puts there as text: markup in a name or a token stays what it is, and a policy in the
page's head bars every other script, style and address.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.latex.tokens import join_tokens
from im2tex.utils.files import atomic_write
from im2tex.visualization.attention.record import AttentionRecord, Maps
from im2tex.visualization.example_sheet import differences

_ASSETS = Path(__file__).parent / "assets"
_LEVELS = 255


def attention_page(
    looks: Sequence[AttentionRecord],
    about: Mapping[str, str],
    title: str = "Where the model looked",
) -> str:
    """The page.

    Args:
        looks: what to show, in this order; at least one.
        about: facts of the model by name, shown below the title.
        title: of the page.

    Returns:
        HTML that needs no other file.

    Raises:
        ValueError: if there is nothing to show.
    """
    if not looks:
        raise ValueError("a page needs at least one picture to show.")
    data = {"about": list(about.items()), "pictures": [_picture(look) for look in looks]}
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    style, script = _asset("attention.css"), _asset("attention.js")
    parts = {
        "title": html.escape(title),
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_fingerprint(style)}; script-src {_fingerprint(script)}",
        "style": style,
        "script": script,
        # Within a script element only these could end it or open a comment.
        "data": text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    }
    # In one pass, so that nothing within a part is taken for a place of another.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("attention.html"))


def save_attention_page(
    path: Path,
    looks: Sequence[AttentionRecord],
    about: Mapping[str, str],
    title: str = "Where the model looked",
) -> int:
    """Writes the page, whole or not at all.

    Args:
        path: the file; folders are made.
        looks: see `attention_page`.
        about: likewise.
        title: likewise.

    Returns:
        Its size in bytes.

    Raises:
        Im2TexError: if it cannot be written.
    """
    page = attention_page(looks, about, title).encode()
    try:
        with atomic_write(path) as part:
            part.write_bytes(page)
    except OSError as error:
        raise Im2TexError(f"cannot write {path}: {error.strerror or error}.") from error
    return len(page)


def packed(maps: Maps) -> dict[str, Any]:
    """Maps in few bytes: 255 levels below each map's own peak, runs of zeros by their length.

    Args:
        maps: (T, h, w), not negative.

    Returns:
        `grid` [h, w]; `peaks`, the T largest weights; `levels`, base64 of the bytes: a level, or
        0 and then the number, 1 to 255, of zeros in a row.
    """
    maps = np.nan_to_num(np.asarray(maps, dtype=np.float32), posinf=0.0)
    peaks = maps.max(axis=(1, 2))  # (T,)
    levels = np.rint(maps * (_LEVELS / np.maximum(peaks, 1e-12))[:, None, None])
    return {
        "grid": list(maps.shape[1:]),
        "peaks": [_number(peak) for peak in peaks],
        "levels": base64.b64encode(_runs(levels.astype(np.uint8).ravel())).decode(),
    }


def _runs(levels: NDArray[np.uint8]) -> bytes:
    out = bytearray()
    places = np.flatnonzero(levels)
    gaps = np.diff(places, prepend=-1) - 1  # zeros before each level
    for gap, level in zip(gaps.tolist(), levels[places].tolist(), strict=True):
        _zeros(out, gap)
        out.append(level)
    _zeros(out, len(levels) - 1 - int(places[-1]) if len(places) else len(levels))
    return bytes(out)


def _zeros(out: bytearray, number: int) -> None:
    while number > 0:
        out += bytes((0, min(number, 255)))
        number -= 255


def _picture(look: AttentionRecord) -> dict[str, Any]:
    height, width = look.image.shape
    coarse = None
    if look.coarse is not None and look.coarse_stride is not None:
        coarse = {
            "cell": list(look.coarse_stride),
            "chosen": look.chosen_coarse,
            **packed(look.coarse),
        }
    return {
        "name": look.name,
        "image": _png(look.image),
        "size": [height, width],
        "tokens": list(look.tokens),
        "finished": look.finished,
        "reading": join_tokens(look.prediction),
        "logp": [_number(value) for value in look.log_probability],
        "likely": [[[token, _number(p)] for token, p in step] for step in look.top_k],
        "lookups": look.lookups.tolist(),
        "spread": [_number(value) for value in look.effective_cells],
        "fine": {"cell": list(look.stride), **packed(look.heatmap)},
        "coarse": coarse,
        "gold": _gold(look),
        "drawing": None if look.rendered is None else _data(look.rendered),
    }


def _gold(look: AttentionRecord) -> dict[str, Any] | None:
    """The label, and what of the reading and of it differs."""
    if look.gold is None:
        return None
    gold = list(look.gold)
    wrong, missed, edits = differences(look.prediction, gold)
    return {"tokens": gold, "missed": missed, "wrong": wrong, "edits": edits}


def _png(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, format="PNG", optimize=True)
    return _data(file.getvalue())


def _data(png: bytes) -> str:
    if not png:
        return ""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _number(value: Any) -> float | None:
    """Four digits, for JSON, which has no word for what is not finite."""
    value = float(value)
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _fingerprint(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
