"""Losses that learn from where symbols lie say so when the data do not tell."""

import warnings
from dataclasses import replace

import pytest
from tiny_run import TINY, changed, config, im2tex

from im2tex.data.preprocessing import Preprocessing
from im2tex.data.source import SOURCES
from im2tex.data.store import write_split
from im2tex.render.rendering import encode_png

BOTH = {"hidden_size": 16, "embedding_dim": 8, "guided_attention": 1.0, "symbol_loss": 0.5}


def fit(folder, decoder_args, **data):
    """Two steps of training."""
    trainer = {"limit_train_batches": 2, "limit_val_batches": 0}
    settings = changed(TINY, trainer=trainer, data=data, model={"decoder_args": decoder_args})
    assert im2tex("fit", "--config", config(folder, settings)) == 0


def printed(sample):
    """The same formula as a picture, which has no strokes."""
    pixels = 255 - Preprocessing(symbol_size=12).rasterize(sample.ink).image
    return replace(sample, ink=None, image=encode_png(pixels))


@pytest.fixture
def pictures(tmp_path):
    """Settings of a source of pictures alone."""
    grammar = SOURCES.build("grammar", TINY["data"]["source_args"])
    grammar.ensure(tmp_path / "data")
    for split in ("train", "validation"):
        samples = map(printed, grammar.split(tmp_path / "data", split))
        write_split(tmp_path / f"data/im2latex/{split}.parquet", samples, {"source": "im2latex"})
    return {"source": "im2latex", "source_args": {}}


def said_of_boxes(caught):
    return [str(one.message) for one in caught if "symbol boxes" in str(one.message)]


def test_boxes_missing_in_images_warn_once(tmp_path, pictures):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tmp_path, BOTH, **pictures)
    (said,) = said_of_boxes(caught)
    assert said.startswith(
        "the first batch has no symbol boxes for guided_attention and symbol_loss"
    )
    assert "the weights of these losses to 0" in said


def test_boxes_of_annotated_ink_do_not_warn(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tmp_path, BOTH)
    assert not said_of_boxes(caught)


def test_boxes_missing_without_alignment_loss_do_not_warn(tmp_path, pictures):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tmp_path, TINY["model"]["decoder_args"], **pictures)
    assert not said_of_boxes(caught)
