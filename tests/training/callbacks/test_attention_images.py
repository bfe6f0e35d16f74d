"""Sheets of attention at validations."""

import warnings

import numpy as np
import pytest
import torch
from helpers_callbacks import Small, batches, small_trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from tiny_run import TINY, changed, config, im2tex

from im2tex.training.callbacks import AttentionImages, images
from im2tex.training.examples import ValidationExample
from im2tex.training.module import Im2Tex

CALLBACK = "im2tex.training.callbacks.AttentionImages"


def fit(folder, *flags, epochs=3, **arguments):
    callbacks = [{"class_path": CALLBACK, "init_args": arguments}]
    settings = changed(TINY, trainer={"max_epochs": epochs, "callbacks": callbacks})
    assert im2tex("fit", "--config", config(folder, settings), *flags) == 0


def sheets(folder):
    return sorted(path.name for path in folder.glob("runs/version_*/attention/*.png"))


def test_attention_images_every_second_validation(tmp_path):
    fit(tmp_path, every=2, count=1)  # 40 formulas by 8: 5 steps an epoch
    assert sheets(tmp_path) == ["step-0000005.png", "step-0000015.png"]
    with Image.open(next(tmp_path.rglob("step-0000005.png"))) as sheet:
        assert sheet.width == 1600


def test_attention_images_resumed_run_keeps_interval(tmp_path):
    fit(tmp_path, every=2, count=1, epochs=1)
    fit(tmp_path, "--ckpt_path", "last", every=2, count=1, epochs=3)
    assert sheets(tmp_path) == ["step-0000005.png", "step-0000015.png"]


def test_attention_images_with_ema_use_average(tmp_path, monkeypatch):
    looking, validated = [], []
    look, step = images.predict_with_attention, Im2Tex.validation_step

    def looks(model, image, gold):
        looking.append(model.require_decoder().output.bias.clone())
        return look(model, image, gold=gold)

    def validates(model, *batch):
        validated.append(model.recognizer.require_decoder().output.bias.clone())
        return step(model, *batch)

    monkeypatch.setattr(images, "predict_with_attention", looks)
    monkeypatch.setattr(Im2Tex, "validation_step", validates)
    fit(tmp_path, "--ema", "0.9", epochs=1, count=1)
    assert torch.equal(looking[-1], validated[-1])


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--model.decoder", "ctc"), "does not predict token by token"),
        (("--model.encoder", "none"), "passes no image to its decoder"),
    ],
)
def test_attention_images_without_attention_warn_once(flags, why, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(tmp_path, *flags, epochs=2)
    said = [str(one.message) for one in caught if "no attention images" in str(one.message)]
    assert len(said) == 1
    assert why in said[0]
    assert not sheets(tmp_path)


def test_attention_images_other_module_gives_no_image(tmp_path):
    logger = CSVLogger(tmp_path, "logs", version="x")
    trainer = small_trainer(tmp_path, AttentionImages(), logger=logger)
    trainer.fit(Small(), batches(1), batches(1))
    assert not list(tmp_path.rglob("*.png"))


def test_attention_images_choose_short_and_long_formulas(checkpoint, tmp_path, monkeypatch):
    seen = []

    def noted(model, image, gold):
        seen.append(image.shape[1])
        return look(model, image, gold=gold)

    look = images.predict_with_attention
    monkeypatch.setattr(images, "predict_with_attention", noted)
    model = Im2Tex.load_from_checkpoint(checkpoint)
    widths = (64, 56, 48, 40, 32)  # long ones come first
    model.validation_examples = [
        ValidationExample(np.full((16, width), 255, np.uint8), [], [], 0.0) for width in widths
    ]
    trainer = small_trainer(tmp_path, logger=CSVLogger(tmp_path))
    for count, expected in ((1, [32]), (2, [32, 64]), (3, [32, 48, 64]), (9, sorted(widths))):
        seen.clear()
        AttentionImages(count=count).on_validation_epoch_end(trainer, model)
        assert seen == expected


def test_attention_images_numbers_below_one_raise():
    for arguments in ({"every": 0}, {"count": 0}):
        with pytest.raises(ValueError, match="must be >= 1"):
            AttentionImages(**arguments)
