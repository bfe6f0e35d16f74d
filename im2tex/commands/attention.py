"""`im2tex report attention`: a page that shows where a model looks while it reads."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.data.dataset import FormulaDataset
from im2tex.data.source import SOURCES
from im2tex.decoders import SearchOptions
from im2tex.decoders.base import NO_ATTENTION
from im2tex.errors import Im2TexError
from im2tex.evaluation.rendered_pairs import AUTO, NONE, Engine, choose_engine, render_formulas
from im2tex.model.ensemble import EnsembleOptions
from im2tex.model.prediction import preprocess_image
from im2tex.model.predictor import Predictor
from im2tex.model.pretrained import read_stored
from im2tex.model.recognizer import Recognizer
from im2tex.utils.png import save_png
from im2tex.visualization.attention.page import save_attention_page
from im2tex.visualization.attention.predict import predict_with_attention, require_attention
from im2tex.visualization.attention.record import AttentionRecord
from im2tex.visualization.attention.strip import NARROWEST, attention_strip

_LONG = 40  # letters of a picture's name kept in the name of its strip


class _Picture(NamedTuple):
    """What is to be read: or why it cannot be."""

    name: str
    image: NDArray[np.uint8] | None
    gold: tuple[str, ...] | None = None
    failed: str = ""


def attention(
    *,
    images: Sequence[str] = (),
    split: str = "",
    keys: Sequence[str] = (),
    limit: int = 8,
    ckpt_path: Path | None = None,
    model: str = "handwritten_small",
    root: Path | None = None,
    out: Path = Path("attention.html"),
    strip: Path | None = None,
    strip_width: int = 1600,
    beam_size: int = 5,
    engine: str = AUTO,
) -> int:
    """Writes the page, and a strip a picture where they are asked for.

    A picture that cannot be read is named on standard error, and does not stop the others.

    Args:
        images: paths of pictures or InkML files; `-` for a picture on standard input.
        split: instead of them, samples of a prepared split: `SOURCE:SPLIT`, or `SPLIT` of the
            data that the checkpoint was trained for.
        keys: of the samples to show; the first `limit` ones if there are none.
        limit: how many samples of a split to show.
        ckpt_path: a checkpoint; it goes before `model`.
        model: name or folder of a model, see `Recognizer.from_pretrained`.
        root: folder of the stores; the checkpoint's own, or `data`, if not given.
        out: the page.
        strip: folder for the strips; none are drawn if not given.
        strip_width: pixels.
        beam_size: hypotheses kept alive.
        engine: what prints the readings, one of `rendered_pairs.CHOICES`.

    Returns:
        How many pictures could not be read.

    Raises:
        Im2TexError: if the model cannot be read or has no attention to show, there is no such
            split or key, none of the pictures can be read, or a file cannot be written.
    """
    if bool(images) == bool(split):
        raise Im2TexError("say what to read, either with --images or with --split.")
    if limit < 1 or strip_width < NARROWEST:
        raise Im2TexError(
            f"--limit is at least 1 and --strip_width at least {NARROWEST}; got {limit} and "
            f"{strip_width}."
        )
    if keys and not split:
        raise Im2TexError("--keys names samples of a split: give --split, too.")
    options = SearchOptions(beam_size=beam_size)
    printer = choose_engine(engine)
    stored = read_stored(ckpt_path or model)
    reader = Recognizer.predictor_from_stored(stored)
    require_attention(reader, str(ckpt_path or model))
    pictures = (
        _samples(reader, split, keys, limit, stored.data, root) if split else _files(reader, images)
    )
    looks: list[AttentionRecord] = []
    failed = 0
    for one in pictures:
        if one.image is None:
            print(f"im2tex report attention: {one.failed}", file=sys.stderr)
            failed += 1
        else:
            looks.append(predict_with_attention(reader, one.image, one.name, one.gold, options))
    if not looks:
        raise Im2TexError("none of the pictures can be read; there is nothing to show.")
    about = {
        "model": str(ckpt_path or model),
        **{
            part: str(stored.settings[part])
            for part in ("encoder", "attention", "decoder")
            if stored.settings[part] != NO_ATTENTION
        },
        "beam": str(beam_size),
    }
    if split:
        about["split"] = split
    ensemble = EnsembleOptions(stored.members, stored.scales)
    if not ensemble.is_single_model:
        about["ensemble"] = ensemble.describe()
        about["attention shown"] = "mean over models and scales, on the first model's grid"
    size = save_attention_page(out, _printed(looks, printer), about)
    print(f"{out}: {_count(len(looks))}, {size / 1000:.0f} kB. Open it in a browser.")
    if strip is not None:
        for number, one_look in enumerate(looks, 1):
            name = re.sub(r"[^\w.-]+", "_", Path(one_look.name).stem)[:_LONG]
            picture = attention_strip(one_look, strip_width)
            save_png(strip / f"{number:03d}-{name}.png", picture)
        print(f"{strip}: a strip of each.")
    return failed


def _files(model: Predictor, images: Sequence[str]) -> Iterator[_Picture]:
    for name in images:
        title = "standard input" if name == "-" else Path(name).name
        try:
            with warnings.catch_warnings(record=True) as caught:
                image = preprocess_image(
                    sys.stdin.buffer.read() if name == "-" else name, model.preprocessing
                )
        except Im2TexError as error:
            yield _Picture(title, None, failed=str(error))
            continue
        for warning in caught:
            print(f"im2tex report attention: {name}: {warning.message}", file=sys.stderr)
        yield _Picture(title, image)


def _samples(
    model: Predictor,
    given: str,
    keys: Sequence[str],
    limit: int,
    data: Mapping[str, Any],
    root: Path | None,
) -> Iterator[_Picture]:
    name, colon, split = given.rpartition(":")
    if not colon and "source" not in data:
        raise Im2TexError(
            f"--split {given}: a model without a checkpoint does not know its data; name the "
            f"source, too, such as crohme:{given}."
        )
    own = not colon or name == data.get("source")
    source = SOURCES.build(name or data["source"], data.get("source_args") if own else None)
    stored = source.split(root or Path(data.get("root", "data")), split)
    known = stored.all_keys()
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise Im2TexError(
            f"--keys: {given} has no sample {', '.join(unknown[:5])}; its keys are such as "
            f"{', '.join(known[:3])}."
        )
    numbers = [known.index(key) for key in keys] or range(min(limit, len(known)))
    dataset = FormulaDataset(stored, model.preprocessing)
    for number in numbers:
        batch = dataset[(0, [number])]
        key, gold = batch.keys[0], batch.tokens[0] or None
        if batch.failed:
            yield _Picture(key, None, failed=f"{given}, '{key}': {batch.failed[0]}")
        else:
            yield _Picture(key, batch.images[0, 0].numpy(), gold)


def _printed(looks: Sequence[AttentionRecord], engine: Engine) -> list[AttentionRecord]:
    """The same with their readings in print; without, where there is no engine or it fails."""
    if engine.name == NONE:
        return list(looks)
    try:
        drawings = render_formulas([" ".join(one.prediction) for one in looks], engine)
    except Im2TexError as error:
        print(f"im2tex report attention: readings not printed: {error}", file=sys.stderr)
        return list(looks)
    return [replace(one, rendered=png or b"") for one, png in zip(looks, drawings, strict=True)]


def _count(pictures: int) -> str:
    return f"{pictures} picture{'s' * (pictures != 1)}"
