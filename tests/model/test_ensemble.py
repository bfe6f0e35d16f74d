"""Ensembles and test-time scales, from the command line to an exported folder."""

import json
import shutil

import pytest
import torch
from PIL import Image, ImageDraw
from tiny_run import TINY, changed, config, im2tex, lines

from im2tex import Im2Tex
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result
from im2tex.model.checkpoint import read_checkpoint

SCALES = [0.75, 1.0, 1.5]


@pytest.fixture(scope="module")
def second(checkpoint, tmp_path_factory):
    """A checkpoint of the same kind with other weights."""
    content = read_checkpoint(checkpoint)
    generator = torch.Generator().manual_seed(1)
    for value in content["state_dict"].values():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.add_(0.3 * noise * (value.abs() + 0.01))
    path = tmp_path_factory.mktemp("second") / "second.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    image = Image.new("L", (80, 40), 255)
    ImageDraw.Draw(image).line([(10, 10), (60, 30), (20, 30)], fill=0, width=3)
    image.save(path)
    return path


def flags(second):
    return "--model.ensemble", json.dumps([str(second)]), "--model.tta_scales", json.dumps(SCALES)


def test_ensemble_test_reports_its_members(checkpoint, second, tmp_path, capsys):
    def tested(name, *more):
        command = ("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path)
        assert im2tex(*command, "--report.study", "s", "--report.name", name, *more) == 0
        return read_result(tmp_path / "s" / f"{name}.json")

    alone, together = tested("alone"), tested("together", *flags(second))
    out = capsys.readouterr().out
    assert "models=2, scales=0.75/1/1.5" in out
    assert "models=" not in alone["signatures"]["beam"]
    assert together["signatures"]["beam"].endswith("n_best=1, models=2, scales=0.75/1/1.5)")

    # Six parts look at more than six times the cells of one, a fourth to twice as many each.
    def looked(name):
        samples = lines(tmp_path / "s" / f"{name}.test.samples.jsonl")
        return sum(
            sample["metrics"]["lookups_fine"] / sample["metrics"]["steps"] for sample in samples
        )

    assert looked("together") > 6 * looked("alone")
    perplexities = [one["metrics"]["test"]["perplexity"] for one in (alone, together)]
    assert perplexities[0] != pytest.approx(perplexities[1])
    samples = [tmp_path / "s" / f"{name}.json" for name in ("alone", "together")]
    assert im2tex("compare", *samples) == 0
    assert "models=2" in capsys.readouterr().out


def test_probabilities_are_averaged_over_models_and_views(checkpoint, second, picture):
    first = Im2Tex.load_from_checkpoint(checkpoint)
    joint = Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(second)], tta_scales=SCALES)
    alone = first.transcribe(picture)[0]
    together = joint.transcribe(picture)[0]
    assert together.score != pytest.approx(alone.score)
    one_view = Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(checkpoint)])
    assert one_view.transcribe(picture)[0].score == pytest.approx(alone.score, abs=1e-5)


def test_exported_ensemble_predicts_as_its_checkpoints(checkpoint, second, picture, tmp_path):
    out = tmp_path / "pair"
    export = ("export", "--ckpt_path", checkpoint, "--folder", out)
    assert im2tex(*export, "--ensemble", second, "--scales", *SCALES) == 0
    card = (out / "README.md").read_text()
    assert "the token probabilities of 2 models over images at the scales 0.75, 1, 1.5" in (
        " ".join(card.split())
    )
    joint = Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(second)], tta_scales=SCALES)
    expected = joint.transcribe(picture)[0]
    moved = tmp_path / "elsewhere"
    out.rename(moved)
    found = Im2Tex.from_pretrained(moved).transcribe(picture)[0]
    assert found.score == pytest.approx(expected.score, rel=0.02)  # half precision
    again = tmp_path / "again"
    Im2Tex.from_pretrained(moved).save_pretrained(again)
    assert Im2Tex.from_pretrained(again).transcribe(picture)[0] == found


def test_export_of_an_exported_ensemble_keeps_members_scales_and_licences(
    checkpoint, second, picture, tmp_path
):
    pair, again, scaled = (tmp_path / name for name in ("pair", "again", "scaled"))
    pretrained = ("--trained_on", "strokes of Detexify (ODbL 1.0)")
    export = ("export", "--ckpt_path", checkpoint, "--folder", pair, "--ensemble", second)
    assert im2tex(*export, "--scales", *SCALES, *pretrained) == 0
    assert im2tex("export", "--ckpt_path", pair, "--folder", again) == 0
    assert im2tex("export", "--ckpt_path", pair, "--folder", scaled, "--scales", 1) == 0
    shutil.rmtree(tmp_path / "pair")
    assert json.loads((again / "config.json").read_text())["ensemble"] == {
        "members": 1,
        "scales": SCALES,
    }
    assert json.loads((scaled / "config.json").read_text())["ensemble"]["scales"] == [1.0]
    assert "strokes of Detexify (ODbL 1.0)" in (again / "LICENSE").read_text()
    assert "2 models" in (again / "README.md").read_text()
    joint = Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(second)], tta_scales=SCALES)
    expected = joint.transcribe(picture)[0].score
    assert Im2Tex.from_pretrained(again).transcribe(picture)[0].score == pytest.approx(
        expected, rel=0.02
    )


def test_ensemble_result_of_other_members_is_not_in_the_card(checkpoint, second, tmp_path, capsys):
    tested = ("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path, "--report.study", "s")
    assert im2tex(*tested, *flags(second)) == 0
    result = tmp_path / "s" / "test.json"
    export = ("export", "--ckpt_path", checkpoint, "--folder", tmp_path / "m", "--result", result)
    capsys.readouterr()
    assert im2tex(*export) == 2
    assert "another ensemble" in capsys.readouterr().err
    assert im2tex(*export, "--ensemble", second, "--scales", *SCALES) == 0


def test_ensemble_incompatible_members_raise(checkpoint, second, picture, tmp_path, capsys):
    for scales in ([], [0.0], [1.0, 9.0]):
        with pytest.raises(
            Im2TexError, match=r"model\.tta_scales must be at least one factor from 0\.25 to 4"
        ):
            Im2Tex.load_from_checkpoint(checkpoint, tta_scales=scales)
    missing = Im2Tex.load_from_checkpoint(checkpoint, ensemble=["nowhere.ckpt"])
    with pytest.raises(Im2TexError, match=r"there is no checkpoint nowhere\.ckpt"):
        missing.transcribe(picture)
    settings = {**read_checkpoint(checkpoint)["hyper_parameters"]}
    settings["vocabulary"] = [*settings["vocabulary"], r"\weierp"]
    Im2Tex(**settings).save_pretrained(tmp_path / "more")
    with pytest.raises(Im2TexError, match=r"another vocabulary, '\\\\weierp' only in one"):
        Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(tmp_path / "more")]).transcribe(
            picture
        )
    settings = {**read_checkpoint(checkpoint)["hyper_parameters"]}
    settings["preprocessing"] = {"symbol_size": 20}
    Im2Tex(**settings).save_pretrained(tmp_path / "larger")
    with pytest.raises(Im2TexError, match="has another preprocessing"):
        Im2Tex.load_from_checkpoint(checkpoint, ensemble=[str(tmp_path / "larger")]).transcribe(
            picture
        )
    ctc = changed(TINY, model={"decoder": "ctc", "decoder_args": {"hidden_size": 8}})
    assert im2tex("fit", "--config", config(tmp_path, ctc)) == 0
    path = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    assert im2tex("test", "--ckpt_path", path, "--model.tta_scales", "[0.5, 1]") == 2
    assert "CTCDecoder does not predict one token at a time" in capsys.readouterr().err
