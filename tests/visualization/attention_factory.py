"""A synthetic attention record: ink in a corner, attention that moves by a cell each step."""

import numpy as np

from im2tex.visualization.attention.record import END, AttentionRecord


def make_record(tokens=("x", "+", "y", END), h=3, w=6, coarse=False, **changes):
    """A record whose step t attends to fine cell t alone, in row-major order."""
    steps = len(tokens)
    image = np.zeros((h * 8, w * 8), np.uint8)
    image[:8, :8] = 255
    fine = np.zeros((steps, h * w), np.float32)
    fine[np.arange(steps), np.arange(steps) % (h * w)] = 1
    fine = fine.reshape(steps, h, w)
    parts = {
        "name": "picture.png",
        "image": image,
        "tokens": tokens,
        "log_probability": np.full(steps, np.log(0.5), np.float32),
        "top_k": [[("x", 0.5), ("y", 0.25)]] * steps,
        "fine": fine,
        "stride": (8, 8),
        "lookups": np.full((steps, 2), (0, h * w)),
    }
    if coarse:  # blocks of 2 x 2, the last ones ragged
        rows, columns = -(-h // 2), -(-w // 2)
        full = np.pad(fine, ((0, 0), (0, 2 * rows - h), (0, 2 * columns - w)))
        parts["coarse"] = full.reshape(steps, rows, 2, columns, 2).sum((2, 4))
        parts["coarse_stride"] = (16, 16)
    return AttentionRecord(**parts | changes)
