"""Test of a relative folder in another working directory."""

import numpy as np
import yaml
from PIL import Image
from tiny_run import TINY, changed, config, im2tex


def test_relative_folder_is_tested_from_another_directory(tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        pixels = np.full((20, 30), 255, np.uint8)
        pixels[5:9, 4 : 20 + number] = 0
        Image.fromarray(pixels).save(photos / f"{number}.bmp")
    (photos / "caption.txt").write_text("".join(f"{n}\tx + {n}\n" for n in range(4)))
    folder = {"source": "folder", "source_args": {"path": "photos"}}
    tiny = config(tmp_path, changed(TINY, data=folder))
    monkeypatch.chdir(tmp_path)
    assert im2tex("fit", "--config", tiny) == 0
    (run,) = (tmp_path / "runs").glob("**/config.yaml")
    kept = yaml.safe_load(run.read_text())["data"]["source_args"]
    assert kept["path"] == str(photos)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    last = run.parent / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", last, "--report.engine", "none") == 0
