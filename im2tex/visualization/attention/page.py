"""A page that shows attention in a browser: a single HTML file.

The page shows the tokens of a prediction below its image, and at each token the weights of the fine
cells and the chosen coarse cell. Its script inserts names and tokens as text, never as markup, and
a content security policy forbids requests.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from im2tex.latex.tokens import join_tokens
from im2tex.render.rendering import encode_png
from im2tex.visualization.attention.record import AttentionRecord, Maps
from im2tex.visualization.example_sheet import differences

_ASSETS = Path(__file__).parent / "assets"


def attention_page(records: Sequence[AttentionRecord], about: Mapping[str, str]) -> str:
    """Returns the page.

    Args:
        records: in the order of the page; at least one.
        about: facts of the model by name, shown below the title.

    Example:
        >>> html = attention_page([record], {"model": "mine.ckpt"})  # doctest: +SKIP
    """
    data = {"about": list(about.items()), "images": [_record_data(record) for record in records]}
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    assets = {
        name: (_ASSETS / f"attention.{name}").read_text(encoding="utf-8")
        for name in ("html", "css", "js")
    }
    parts = {
        "style": assets["css"],
        "script": assets["js"],
        # Within a script element only these could end it or open a comment.
        "data": text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    }
    # In one pass, so that no part is searched for the names of others.
    return re.sub(r"\{\{(\w+)\}\}", lambda name: parts[name[1]], assets["html"])


def encode_maps(maps: Maps) -> dict[str, Any]:
    """Encodes maps for JSON, each in 255 levels below its own maximum.

    Args:
        maps: (T, h, w), not negative.

    Returns:
        `grid` [h, w]; `peaks`, the T largest weights; `levels`, base64 of T h w bytes.
    """
    maps = np.nan_to_num(np.asarray(maps, dtype=np.float32), posinf=0.0)
    peaks = maps.max(axis=(1, 2))  # (T,)
    levels = np.rint(maps * (255 / np.maximum(peaks, 1e-12))[:, None, None]).astype(np.uint8)
    return {
        "grid": list(maps.shape[1:]),
        "peaks": [_number(peak) for peak in peaks],
        "levels": base64.b64encode(levels.tobytes()).decode(),
    }


def _record_data(record: AttentionRecord) -> dict[str, Any]:
    """Returns a record as the page's script reads it."""
    coarse = gold = None
    if record.coarse is not None:
        coarse = {
            "cell": record.coarse_stride,
            "chosen": record.chosen_coarse,
            **encode_maps(record.coarse),
        }
    if record.gold is not None:
        wrong, missed, edits = differences(record.prediction, record.gold)
        gold = {"tokens": list(record.gold), "missed": missed, "wrong": wrong, "edits": edits}
    return {
        "name": record.name,
        "image": _data_url(encode_png(255 - record.image)),
        "size": record.image.shape,
        "tokens": list(record.tokens),
        "finished": record.finished,
        "prediction": join_tokens(record.prediction),
        "log_probability": [_number(value) for value in record.log_probability],
        "top_k": [[[token, _number(p)] for token, p in step] for step in record.top_k],
        "lookups": record.lookups.tolist(),
        "effective_cells": [_number(value) for value in record.effective_cells],
        "fine": {"cell": record.stride, **encode_maps(record.heatmap)},
        "coarse": coarse,
        "gold": gold,
        "rendered": None if record.rendered is None else _data_url(record.rendered),
    }


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode() if png else ""


def _number(value: Any) -> float | None:
    """Rounds to four digits; returns None for infinity and nan, which JSON does not have."""
    value = float(value)
    return float(f"{value:.4g}") if math.isfinite(value) else None
