"""`im2tex read`: prints the LaTeX that a trained model predicts for images."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.errors import Im2TexError
from im2tex.ink.images.files import MAX_BYTES
from im2tex.latex.tokens import join_tokens
from im2tex.model.folders import locate
from im2tex.utils.checks import check_settings

if TYPE_CHECKING:
    from im2tex.model.prediction import Prediction


def read(
    images: Sequence[str],
    *,
    model: str = "handwritten_small",
    beam_size: int = 5,
    n_best: int = 1,
    as_json: bool = False,
) -> int:
    """Prints the LaTeX of each image: one formula per image, dark on light or light on dark.

    For several images, each line starts with the name of the file. An image that cannot be read is
    reported on standard error, and the others are still read. For a whole data set use `im2tex
    predict`, which reads in batches and writes JSON lines. The weights in the package follow the
    licences of their training data: CC BY-NC-SA 3.0 (CROHME; no commercial use) and ODbL 1.0
    (Detexify).

    Args:
        images: image or InkML file; - for standard input.
        model: a model of the package, a folder written by `im2tex export`, or a checkpoint.
        beam_size: beam size of the search.
        n_best: predictions to print for each image.
        as_json: print one JSON object per image, with scores and warnings.

    Returns:
        How many images could not be read.

    Raises:
        Im2TexError: if there is no such model, or a number is out of range.
    """
    check_settings("--", 1, beam_size=beam_size)
    if not 1 <= n_best <= beam_size:
        raise Im2TexError(f"--n_best must be from 1 to --beam_size ({beam_size}), got {n_best}.")
    if not Path(model).is_file():
        locate(model)
    if not any(name == "-" or os.path.lexists(name) for name in images):
        for name in images:
            _report(f"cannot open {name}: there is no such file.")
        return len(images)
    from im2tex.model.prediction import ImageWarning
    from im2tex.model.recognizer import Recognizer

    recognizer = Recognizer.from_pretrained(model)
    failures = 0
    for name in images:
        try:
            image = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name
            with warnings.catch_warnings(record=True) as caught:
                prediction = recognizer.predict(image, beam_size=beam_size, n_best=n_best)[0]
        except Im2TexError as error:
            _report(f"standard input: {error}" if name == "-" else error)  # others name the file
            failures += 1
            continue
        notes = [
            str(warning.message)
            for warning in caught
            if not issubclass(warning.category, ImageWarning)
        ]
        notes += prediction.notes
        if not prediction.finished:
            notes.append("the prediction is incomplete: is this one formula?")
        for note in notes:
            _report(f"{name}: {note}")
        _print_prediction(name, prediction, several=len(images) > 1, as_json=as_json)
    return failures


def _report(message: object) -> None:
    print(f"im2tex read: {message}", file=sys.stderr)


def _print_prediction(name: str, prediction: Prediction, *, several: bool, as_json: bool) -> None:
    n_best = [(join_tokens(latex.split()), score) for latex, score in prediction.n_best]
    if as_json:
        record = {
            "file": name,
            "latex": n_best[0][0],
            "finished": prediction.finished,
            "n_best": [{"latex": latex, "score": score} for latex, score in n_best],
            "warnings": list(prediction.notes),
        }
        print(json.dumps(record, ensure_ascii=False), flush=True)
        return
    for latex, _ in n_best:
        print(f"{name}\t{latex}" if several else latex, flush=True)
