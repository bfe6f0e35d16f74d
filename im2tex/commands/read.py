"""`im2tex read`: pictures of formulas to LaTeX with a trained model."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence

from im2tex.errors import Im2TexError
from im2tex.ink.images.files import MAX_BYTES
from im2tex.latex.tokens import join_tokens
from im2tex.model.prediction import ImageWarning, Prediction
from im2tex.model.recognizer import Recognizer


def read(
    images: Sequence[str], *, model: str, beam_size: int = 5, n_best: int = 1, as_json: bool = False
) -> int:
    """Prints what a model reads: a line a picture, after its name if there are several.

    A picture that cannot be read is named on standard error, and does not stop the others.

    Args:
        images: paths of pictures or InkML files; `-` for either on standard input.
        model: name or folder of a model, see `Recognizer.from_pretrained`.
        beam_size: hypotheses kept alive.
        n_best: readings printed of each.
        as_json: print an object a picture instead, with scores and warnings.

    Returns:
        How many pictures could not be read.

    Raises:
        Im2TexError: if there is no such model, or a number is out of range.
    """
    if beam_size < 1:
        raise Im2TexError(f"--beam_size must be at least 1, got {beam_size}.")
    if not 1 <= n_best <= beam_size:
        raise Im2TexError(f"--n_best must be from 1 to --beam_size ({beam_size}), got {n_best}.")
    recognizer = Recognizer.from_pretrained(model)
    failed = 0
    for name in images:
        try:
            picture = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name
            with warnings.catch_warnings(record=True) as caught:
                found = recognizer.predict(picture, beam_size=beam_size, n_best=n_best)[0]
        except Im2TexError as error:
            what = "standard input: " if name == "-" else ""  # others name their file
            print(f"im2tex read: {what}{error}", file=sys.stderr)
            failed += 1
            continue
        for warning in caught:
            if not issubclass(warning.category, ImageWarning):
                print(f"im2tex read: {name}: {warning.message}", file=sys.stderr)
        for note in found.notes:
            print(f"im2tex read: {name}: {note}", file=sys.stderr)
        if not found.finished:
            print(
                f"im2tex read: {name}: the reading did not come to an end: is this one formula?",
                file=sys.stderr,
            )
        _show(name, found, several=len(images) > 1, as_json=as_json)
    return failed


def _show(name: str, found: Prediction, *, several: bool, as_json: bool) -> None:
    readings = [(join_tokens(latex.split()), score) for latex, score in found.n_best]
    if as_json:
        best = [{"latex": latex, "score": score} for latex, score in readings]
        line = {"file": name, "latex": readings[0][0], "finished": found.finished, "n_best": best}
        line["warnings"] = list(found.notes)
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    for latex, _ in readings:
        print(f"{name}\t{latex}" if several else latex, flush=True)
