"""Images of a fit: where they go, and what happens where they cannot."""

import errno
import warnings

import numpy as np
import pytest
from helpers_callbacks import Small, batches, small_trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from im2tex.training.callbacks import ValidationImages, image_logger
from im2tex.training.callbacks.image_logger import ImageLogger

SHEET = Image.fromarray(np.zeros((20, 30), np.uint8))


class Recorder(CSVLogger):
    """Takes images as W&B's logger does, and as TensorBoard's writer."""

    def __init__(self, folder):
        super().__init__(folder, "a", version="b")
        self.images = []

    def log_image(self, key, images, step):
        self.images.append((key, images[0].size[::-1], step))

    def add_image(self, tag, pixels, step, dataformats):
        assert dataformats == "HWC"
        self.images.append((tag, pixels.shape[:2], step))

    @property
    def experiment(self):
        return self

    def log_metrics(self, metrics, step=None):
        """Numbers are not this test's."""

    def log_hyperparams(self, params=None):
        """Nor are these."""

    def save(self):
        """Nor is a file of them."""


class Unreachable(Recorder):
    """W&B when its server, or its own process, is gone; for the first two images."""

    def __init__(self, folder):
        super().__init__(folder)
        self.tried = 0

    def log_image(self, key, images, step):
        self.tried += 1
        if self.tried <= 2:
            raise ConnectionResetError(errno.ECONNRESET, "Connection lost")
        super().log_image(key, images, step)


def fit(folder, logger, epochs=4):
    """Fits with a validation of one image an epoch; what was said of images."""
    trainer = small_trainer(folder, ValidationImages(), logger=logger, max_epochs=epochs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(Small(), batches(1), batches(1))
    assert trainer.current_epoch == epochs
    return [str(one.message) for one in caught if "an image" in str(one.message)]


@pytest.mark.parametrize("kind", ["WandbLogger", "TensorBoardLogger"])
def test_image_logger_saves_and_logs(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(image_logger, kind, Recorder)
    logger = Recorder(tmp_path)
    ImageLogger("kind").log(SHEET, tmp_path / "run", small_trainer(tmp_path, logger=logger))
    with Image.open(tmp_path / "run" / "kind" / "step-0000000.png") as image:
        assert image.size == SHEET.size
    assert logger.images == [("val/kind", (20, 30), 0)]


def test_image_logger_failing_logger_warns_once_and_is_retried(tmp_path, monkeypatch):
    monkeypatch.setattr(image_logger, "WandbLogger", Recorder)
    logger = Unreachable(tmp_path)
    (said,) = fit(tmp_path, logger)
    assert said == (
        "an image of images/ could not be written to Unreachable: Connection lost. The fit "
        "continues."
    )
    assert [step for _, _, step in logger.images] == [3, 4]
    files = sorted(path.name for path in tmp_path.glob("a/b/images/*.png"))
    assert files == [f"step-000000{step}.png" for step in (1, 2, 3, 4)]


def test_image_logger_full_disk_warns_once_and_logs(tmp_path, monkeypatch):
    def save(self, path, **_):
        path.write_bytes(b"the first bytes")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_logger, "WandbLogger", Recorder)
    monkeypatch.setattr(Image.Image, "save", save)
    logger = Recorder(tmp_path)
    (said,) = fit(tmp_path, logger)
    assert "to the run's folder: cannot write" in said
    assert said.endswith("step-0000001.png: No space left on device. The fit continues.")
    assert [step for _, _, step in logger.images] == [1, 2, 3, 4]
    assert not list((tmp_path / "a" / "b" / "images").iterdir()), "no piece of a file is left"
