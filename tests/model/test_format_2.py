"""Files of format 2 as im2tex wrote them at commit e6391a7, under the names of that commit."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny_run import im2tex, steps

from im2tex import Im2Tex, Recognizer
from im2tex.data.dataset import Batch
from im2tex.decoders import SearchOptions
from im2tex.model.checkpoint import read_checkpoint

FILES = Path(__file__).parents[1] / "fixtures" / "format_2"
PREDICTIONS = json.loads((FILES / "predictions.json").read_text(encoding="utf-8"))


def batch():
    """The images and labels of the fixture's predictions; see its `make.py`."""
    images = torch.randint(256, (2, 1, 32, 48), generator=torch.Generator().manual_seed(1))
    images[1, :, 16:] = 0
    images[1, :, :, 32:] = 0
    sizes = torch.tensor([[32, 48], [16, 32]])
    labels = [("x", "+", "1"), ("\\frac", "{", "x", "}")]
    return Batch(["a", "b"], images.to(torch.uint8), sizes, labels)


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize("way", ["Im2Tex", "Recognizer"])
def test_model_of_format_2_gives_the_same_predictions(name, way):
    path = FILES / f"{name}.ckpt"
    if way == "Im2Tex":
        model = Im2Tex.load_from_checkpoint(path).eval().recognizer
    else:
        model = Recognizer.from_pretrained(path)
    with torch.inference_mode():
        _, logs = model.loss(batch())
        found = model.search(batch(), SearchOptions(beam_size=3, max_length=6, n_best=3))
    expected = PREDICTIONS[name]
    assert float(logs["nll"]) == pytest.approx(expected["nll"], rel=1e-5)
    for image, (hypotheses, stored) in enumerate(zip(found, expected["hypotheses"], strict=True)):
        for one, other in zip(hypotheses, stored, strict=True):
            assert one.tokens == other["tokens"], image
            assert one.score == pytest.approx(other["score"], rel=1e-5, abs=1e-5)
            assert one.lookups == (other["lookups"] and tuple(other["lookups"]))


def test_checkpoint_of_format_2_resumes_with_its_weights_and_schedule(tmp_path):
    flags = ("--trainer.max_epochs", 2, "--trainer.log_every_n_steps", 1)
    assert im2tex("fit", "--ckpt_path", FILES / "fit.ckpt", *flags) == 0
    (log,) = tmp_path.glob("runs/version_*")
    columns = "train/lr", "train/nll"
    found = steps(log, *columns)
    shutil.copy(FILES / "two_epochs.csv", tmp_path / "metrics.csv")
    expected = {step: row for step, row in steps(tmp_path, *columns).items() if step >= 5}
    assert found.keys() == expected.keys()
    # The batches of an epoch are others than in version 0.1, their losses similar.
    for step, (rate, loss) in expected.items():
        assert found[step] == (pytest.approx(rate), pytest.approx(loss, rel=0.05))


def test_checkpoint_of_format_2_has_both_kinds_of_weights_under_current_names():
    content = read_checkpoint(FILES / "fit.ckpt")
    names = Im2Tex.load_from_checkpoint(FILES / "fit.ckpt").state_dict().keys()
    assert content["state_dict"].keys() == names
    assert content["current_model_state"].keys() == names
