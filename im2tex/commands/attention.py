"""`im2tex report attention`: an HTML page of a model's attention at each token."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2tex.errors import Im2TexError
from im2tex.ink.images.files import MAX_BYTES
from im2tex.utils.checks import check_settings
from im2tex.utils.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from im2tex.evaluation.rendered_pairs import Engine
    from im2tex.model.predictor import Predictor
    from im2tex.model.pretrained import StoredModel
    from im2tex.visualization.attention.record import AttentionRecord

_LoadedImage = tuple[str, "NDArray[np.uint8]", tuple[str, ...] | None]
"""Name, image and reference."""

_MAX_NAME = 40  # characters of an image's name in the name of its strip
_MIN_STRIP_WIDTH = 200  # pixels


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
    engine: str = "auto",
) -> int:
    """Writes one HTML file that shows the attention of a model over images at each token.

    The page fetches nothing and can be passed on. An image that cannot be read is reported on
    standard error; the others are still shown.

    Args:
        images: image or InkML file; - for an image on standard input.
        split: samples of a prepared split instead of files, such as crohme:test_2014; with
            --ckpt_path, SPLIT alone is a split of the training data's source.
        keys: keys of the samples; the first samples if not given.
        limit: how many samples, without --keys.
        ckpt_path: checkpoint to predict with.
        model: a model of the package, or a folder written by `im2tex export`, used without
            --ckpt_path.
        root: folder of the prepared data; that of the checkpoint, or data, if not given.
        out: HTML file to write.
        strip: folder for PNG files as well, one per image with one panel per token.
        strip_width: width of these in pixels.
        beam_size: beam size of the search.
        engine: renderer of the predictions: tex, builtin, none, or auto, the first that is
            installed.

    Returns:
        How many images could not be read.

    Raises:
        Im2TexError: if the model cannot be read or has no attention, there is no such split or
            key, no image can be read, or a file is not writable.
    """
    from im2tex.decoders import SearchOptions
    from im2tex.evaluation.rendered_pairs import choose_engine
    from im2tex.model.pretrained import read_stored
    from im2tex.model.recognizer import Recognizer
    from im2tex.utils.files import write_text_atomic
    from im2tex.utils.png import save_png
    from im2tex.visualization.attention.page import attention_page
    from im2tex.visualization.attention.predict import predict_with_attention, require_attention
    from im2tex.visualization.attention.strip import attention_strip

    if bool(images) == bool(split):
        raise Im2TexError("give the images either with --images or with --split.")
    if keys and not split:
        raise Im2TexError("--keys names samples of a split: give --split, too.")
    check_settings("--", 1, limit=limit)
    check_settings("--", _MIN_STRIP_WIDTH, strip_width=strip_width)
    options = SearchOptions(beam_size=beam_size)
    renderer = choose_engine(engine)
    stored = read_stored(ckpt_path or model)
    predictor = Recognizer.predictor_from_stored(stored)
    require_attention(predictor, str(ckpt_path or model))
    loaded = (
        _load_samples(predictor, split, keys, limit, stored.data, root)
        if split
        else _load_files(predictor, images)
    )
    images_or_none = list(loaded)
    records = [
        predict_with_attention(predictor, image, name, gold, options)
        for name, image, gold in filter(None, images_or_none)
    ]
    if not records:
        raise Im2TexError("none of the images can be read; there is nothing to show.")
    facts = _model_facts(stored, str(ckpt_path or model)) | {"beam": str(beam_size)}
    if split:
        facts["split"] = split
    page = attention_page(_render_predictions(records, renderer), facts)
    write_text_atomic(out, page)
    size = f"{counted(len(records), 'image')}, {len(page.encode()) / 1000:.0f} kB"
    print(f"{out}: {size}. Open it in a browser.")
    if strip is not None:
        for number, record in enumerate(records, 1):
            name = re.sub(r"[^\w.-]+", "_", Path(record.name).stem)[:_MAX_NAME]
            save_png(strip / f"{number:03d}-{name}.png", attention_strip(record, strip_width))
        print(f"{strip}: one PNG file per image.")
    return images_or_none.count(None)


def _report(message: str) -> None:
    print(f"im2tex report attention: {message}", file=sys.stderr)


def _model_facts(stored: StoredModel, name: str) -> dict[str, str]:
    """Returns the lines about the model on the page."""
    from im2tex.decoders.base import NO_ATTENTION
    from im2tex.model.ensemble import EnsembleOptions

    parts = {part: str(stored.settings[part]) for part in ("encoder", "attention", "decoder")}
    facts = {"model": name, **{k: v for k, v in parts.items() if v != NO_ATTENTION}}
    ensemble = EnsembleOptions(stored.members, stored.scales)
    if not ensemble.is_single_model:
        facts["ensemble"] = ensemble.describe()
        facts["attention shown"] = "mean over models and scales, on the first model's grid"
    return facts


def _load_files(model: Predictor, images: Sequence[str]) -> Iterator[_LoadedImage | None]:
    """Yields the images of files; reports an unreadable file and yields None."""
    from im2tex.model.image_input import prepare_images

    contents = (sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else name for name in images)
    for name, prepared in zip(images, prepare_images(contents, model.preprocessing), strict=True):
        title = "standard input" if name == "-" else Path(name).name
        if isinstance(prepared, Im2TexError):
            _report(f"standard input: {prepared}" if name == "-" else str(prepared))
            yield None
            continue
        for note in prepared.notes:
            _report(f"{title}: {note}")
        yield title, prepared.image, None


def _load_samples(
    model: Predictor,
    split: str,
    keys: Sequence[str],
    limit: int,
    data: Mapping[str, Any],
    root: Path | None,
) -> Iterator[_LoadedImage | None]:
    """Yields the images of samples; reports an unreadable sample and yields None.

    Args:
        model: gives the preprocessing.
        split: as given with --split.
        keys: of the samples; the first `limit` samples if empty.
        limit: see `keys`.
        data: the data settings that the model was trained with.
        root: folder of the prepared data; that of `data` if None.
    """
    from im2tex.data.dataset import FormulaDataset
    from im2tex.data.pack import open_root
    from im2tex.data.source import SOURCES

    name, colon, part = split.rpartition(":")
    if not colon and "source" not in data:
        raise Im2TexError(
            f"--split {split}: a model without a checkpoint does not state its data; add the "
            f"source, such as crohme:{split}."
        )
    own = not colon or name == data.get("source")
    source = SOURCES.build(name or data["source"], data.get("source_args") if own else None)
    stored = source.split(open_root(root or Path(data.get("root", "data"))), part)
    known = stored.all_keys()
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise Im2TexError(
            f"--keys: {split} has no sample {', '.join(unknown[:5])}; its keys are such as "
            f"{', '.join(known[:3])}."
        )
    dataset = FormulaDataset(stored, model.preprocessing)
    for index in [known.index(key) for key in keys] or range(min(limit, len(known))):
        batch = dataset[(0, [index])]
        key, gold = batch.keys[0], batch.tokens[0] or None
        if batch.failed:
            _report(f"{split}, '{key}': {batch.failed[0]}")
            yield None
        else:
            yield key, batch.images[0, 0].numpy(), gold


def _render_predictions(
    records: Sequence[AttentionRecord], engine: Engine
) -> Sequence[AttentionRecord]:
    """The records with their predictions rendered; unchanged without an engine, or if it fails."""
    from im2tex.evaluation.rendered_pairs import NONE, render_formulas

    if engine.name == NONE:
        return records
    try:
        images = render_formulas([" ".join(record.prediction) for record in records], engine)
    except Im2TexError as error:
        _report(f"predictions not rendered: {error}")
        return records
    pairs = zip(records, images, strict=True)
    return [replace(record, rendered=png or b"") for record, png in pairs]
