"""`im2tex read`: prints the LaTeX that a trained model predicts for images."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2tex.errors import Im2TexError
from im2tex.ink.images.files import MAX_BYTES
from im2tex.model.folders import locate
from im2tex.utils.checks import check_settings

if TYPE_CHECKING:
    from im2tex.model.prediction import Prediction

_MANY_IMAGES = 20  # from here on, workers save more than the 0.1 s that each needs to start
_MAX_WORKERS = 4  # each holds a decoded image


def read(
    images: Sequence[str],
    *,
    model: str = "handwritten_small",
    beam_size: int = 5,
    n_best: int = 1,
    as_json: bool = False,
    workers: int | None = None,
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
        as_json: print one JSON object per image, with scores and warnings; "error" is the only
            other value of an image that cannot be read.
        workers: processes that prepare images during the search; if not given, as many as pay for
            the number of images.

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
    check_settings("--", 0, workers=workers)
    if not any(name == "-" or os.path.lexists(name) for name in images):
        for name in images:  # without the seconds to load a model
            _print_failure(name, f"cannot open {name}: {os.strerror(errno.ENOENT)}.", as_json)
        return len(images)
    from im2tex.model.recognizer import Recognizer

    recognizer = Recognizer.from_pretrained(model)
    predictions = recognizer.predict_each(
        (sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name for name in images),
        beam_size=beam_size,
        n_best=n_best,
        batch_size=1,  # each prediction is printed when it is made
        num_workers=_default_workers(len(images)) if workers is None else workers,
    )
    failures = 0
    for name, prediction in zip(images, predictions, strict=True):
        if isinstance(prediction, Im2TexError):
            failures += 1
            _print_failure(name, prediction, as_json)
            continue
        notes = prediction.notes
        if not prediction.finished:
            notes = (*notes, "the prediction is incomplete: is this one formula?")
        for note in notes:
            _report(f"{name}: {note}")
        _print_prediction(name, prediction, several=len(images) > 1, as_json=as_json)
    return failures


def _default_workers(images: int) -> int:
    """The number of worker processes for a number of images; 0 for few images, or on one core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MAX_WORKERS) if images >= _MANY_IMAGES and cores != 1 else 0


def _report(message: object) -> None:
    print(f"im2tex read: {message}", file=sys.stderr)


def _print_failure(name: str, error: object, as_json: bool) -> None:
    """Reports an image that cannot be read; other errors than those of "-" name the file."""
    message = f"standard input: {error}" if name == "-" else str(error)
    _report(message)
    if as_json:
        _print_record({"file": name, "error": message})


def _print_prediction(name: str, prediction: Prediction, *, several: bool, as_json: bool) -> None:
    if as_json:
        record = {
            "file": name,
            "latex": prediction.latex,
            "finished": prediction.finished,
            "n_best": [{"latex": latex, "score": score} for latex, score in prediction.n_best],
            "warnings": list(prediction.notes),
        }
        _print_record(record)
        return
    for latex, _ in prediction.n_best:
        print(f"{name}\t{latex}" if several else latex, flush=True)


def _print_record(record: Mapping[str, Any]) -> None:
    print(json.dumps(record, ensure_ascii=False), flush=True)
