"""Models as folders: exported, read back, and used by `im2tex read`."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny_run import TINY, im2tex

from im2tex.data.licences import describe_licences
from im2tex.errors import Im2TexError
from im2tex.evaluation.reports.model_card import licence
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.rasterize import draw
from im2tex.latex.tokens import join_tokens
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.folders import locate, names
from im2tex.model.prediction import ImageWarning, Prediction
from im2tex.model.recognizer import Recognizer
from im2tex.training.module import Im2Tex


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", path) == 0
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    image = Image.new("L", (80, 40), 255)
    ImageDraw.Draw(image).line([(10, 10), (60, 30), (20, 30)], fill=0, width=3)
    image.save(path)
    return path


def test_exported_model_has_the_weights_of_the_checkpoint_in_half_precision(folder, checkpoint):
    content = read_checkpoint(checkpoint)
    model = Im2Tex.from_pretrained(folder)
    assert model.recognizer.require_vocabulary().ordinary == tuple(
        content["hyper_parameters"]["vocabulary"]
    )
    weights = {name for name, _ in model.named_parameters()}
    for name, value in model.state_dict().items():
        known = content["state_dict"][name]
        assert torch.equal(value, known.half().float() if name in weights else known), name
    assert not model.training


def test_export_writes_all_files(folder):
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
        "LICENSE",
    }
    card = (folder / "README.md").read_text()
    assert "# tiny" in card
    assert "- grammar" in card
    assert "Not measured." in card
    assert "grammar" in (folder / "LICENSE").read_text()


def test_licence_names_terms_of_the_training_data_only(folder):
    assert "- grammar (none: generated formulas" in (folder / "LICENSE").read_text()
    assert "creativecommons" not in (folder / "LICENSE").read_text()
    text = licence(["crohme (CC BY-NC-SA 3.0)", "folder (no licence stated)"])
    assert "- folder (no licence stated)\n" in text
    assert "creativecommons.org/licenses/by-nc-sa/3.0" in text
    assert "opendatacommons" not in text


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"source": "crohme", "licence": "CC"}, ["crohme (CC)"]),
        ({"source": "folder"}, ["folder (no licence stated)"]),
        ({"source": "h", "licence": {"a": "CC", "b": "ODbL"}}, ["h: a (CC)", "h: b (ODbL)"]),
    ],
)
def test_licences_of_a_split_are_those_of_its_metadata(metadata, expected):
    assert describe_licences(metadata) == expected


def test_training_data_are_kept_from_model_to_model(checkpoint, trained, tmp_path):
    known = read_checkpoint(checkpoint)["training_data"]
    assert known == ["grammar (none: generated formulas in the package's own font)"]
    content = read_checkpoint(checkpoint)
    first = tmp_path / "first.ckpt"
    torch.save({**content, "training_data": ["pretraining (CC BY 4.0)"]}, first)

    # A fit that starts from it, its resumed fit, and the exported folder of that.
    own = ("--trainer.default_root_dir", tmp_path / "runs", "--trainer.accelerator", "cpu")
    start = ("--config", trained / "tiny.yaml", "--model.init_from", first)
    assert im2tex("fit", *start, *own) == 0
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["training_data"] == ["pretraining (CC BY 4.0)", *known]
    assert im2tex("fit", "--ckpt_path", last, *own, "--trainer.max_epochs", 2) == 0
    resumed = tmp_path / "runs" / "version_1" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(resumed)["training_data"] == ["pretraining (CC BY 4.0)", *known]
    assert im2tex("export", "--ckpt_path", resumed, "--folder", tmp_path / "model") == 0
    assert "- pretraining (CC BY 4.0)\n- grammar" in (tmp_path / "model/LICENSE").read_text()

    # Models in Python keep them as well.
    for load, name in ((Recognizer, "a"), (Im2Tex, "b")):
        load.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / name)
        stored = json.loads((tmp_path / name / "config.json").read_text())
        assert stored["training_data"] == ["pretraining (CC BY 4.0)", *known]


def test_training_data_of_another_type_is_refused(checkpoint, folder, tmp_path):
    torch.save({**read_checkpoint(checkpoint), "training_data": [1]}, tmp_path / "a.ckpt")
    with pytest.raises(Im2TexError, match=r"a\.ckpt: its training_data must be a list of texts"):
        read_checkpoint(tmp_path / "a.ckpt")
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    settings = json.loads((damaged / "config.json").read_text())
    (damaged / "config.json").write_text(json.dumps({**settings, "training_data": "x"}))
    with pytest.raises(Im2TexError, match=r"its training_data must be a list of texts"):
        Recognizer.from_pretrained(damaged)


def test_model_card_shows_only_tests_of_the_model(folder, checkpoint, tmp_path, capsys):
    tested = ("test", "--ckpt_path", checkpoint, "--report.folder", tmp_path, "--report.study", "s")
    assert im2tex(*tested) == 0
    result = tmp_path / "s" / "test.json"
    out = tmp_path / "m"
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", out, "--result", result) == 0
    assert (tmp_path / "s" / "test.md").read_text().strip() in (out / "README.md").read_text()
    record = json.loads(result.read_text())
    record["config"]["model"]["decoder_args"]["hidden_size"] += 1
    result.write_text(json.dumps(record))
    capsys.readouterr()
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", out, "--result", result) == 2
    assert "another model: its decoder_args" in capsys.readouterr().err


def test_read_prints_what_the_model_reads(folder, picture, tmp_path, capsys):
    expected = Im2Tex.from_pretrained(folder).transcribe(picture, max_length=200)[0]
    assert im2tex("read", picture, "--model", folder, "--json") == 0
    line = json.loads(capsys.readouterr().out)
    assert line["file"] == str(picture)
    assert line["latex"] == expected.latex == join_tokens(expected.tokens)
    assert line["n_best"][0]["latex"] == expected.latex
    assert line["n_best"][0]["score"] == pytest.approx(expected.score)
    missing = tmp_path / "none.png"
    assert im2tex("read", missing, picture, "--model", folder) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{picture}\t")
    assert str(missing) in printed.err


def test_read_json_has_one_object_per_image_also_of_failed_ones(folder, picture, tmp_path, capsys):
    missing = tmp_path / "none.png"
    for images, failures in (([missing, picture], 1), ([missing], 1)):  # alone: no model is loaded
        assert im2tex("read", *images, "--model", folder, "--json") == failures
        first, *others = map(json.loads, capsys.readouterr().out.splitlines())
        assert first == {
            "file": str(missing),
            "error": f"cannot open {missing}: No such file or directory.",
        }
        assert [one["file"] for one in others] == [str(path) for path in images[1:]]
        assert all("error" not in one for one in others)


def test_read_with_workers_prints_the_same_as_with_one_process(folder, picture, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no image")
    images = [picture, tmp_path / "none.png", tmp_path / "text.png", *[picture] * 20]
    command = ("read", *images, "--model", folder, "--beam_size", "1", "--json")
    printed = []
    for workers in ((), ("--workers", "0"), ("--workers", "2")):
        assert im2tex(*command, *workers) == 1
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1] == printed[2]
    assert len(printed[0].out.splitlines()) == 23
    assert im2tex(*command, "--workers", "-1") == 2
    assert "--workers must be >= 0, got -1" in capsys.readouterr().err


@pytest.mark.parametrize("finished", [True, False])
def test_read_says_when_a_reading_did_not_end(folder, picture, capsys, monkeypatch, finished):
    reading = Prediction("11", ["1", "1"], -1.0, finished, [("11", -1.0)])
    monkeypatch.setattr(Recognizer, "predict_each", lambda *_, **__: iter([reading]))
    assert im2tex("read", picture, "--model", folder) == 0
    printed = capsys.readouterr()
    assert printed.out == "11\n"
    assert (f"{picture}: the prediction is incomplete" in printed.err) is not finished


def test_read_names_standard_input_and_a_beam_of_nothing(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert im2tex("read", "-", "--model", folder) == 1
    assert "standard input: the image cannot be read" in capsys.readouterr().err
    assert im2tex("read", "-", "--model", folder, "--beam_size", "0") == 2
    assert "--beam_size must be >= 1, got 0" in capsys.readouterr().err


def test_read_says_what_may_be_wrong_with_a_picture(folder, tmp_path, capsys):
    line = draw(typeset(tuple("2x+3=y")), 60.0, 4, 12)
    page = tmp_path / "two.png"
    Image.fromarray(255 - np.concatenate([line, line])).save(page)
    assert im2tex("read", page, "--model", folder, "--json") == 0
    printed = capsys.readouterr()
    (note,) = json.loads(printed.out)["warnings"]
    assert "several lines" in note
    assert printed.err.startswith(f"im2tex read: {page}: {note}")
    model = Im2Tex.from_pretrained(folder)
    with pytest.warns(ImageWarning, match=r"image 1: .*several lines"):
        (reading,) = model.transcribe(io.BytesIO(page.read_bytes()))
    assert reading.notes == (note,)


def test_transcribe_of_what_is_no_picture_is_refused(folder):
    model = Im2Tex.from_pretrained(folder)
    for source in (3, [None], io.StringIO("x"), io.BytesIO(b"")):
        with pytest.raises(
            Im2TexError, match=r"expected an image|no image|cannot be read|not bytes"
        ):
            model.transcribe(source)


def test_packaged_model_reads_inkml_files_and_image_bytes(folder, picture, tmp_path):
    ink = tmp_path / "a.inkml"
    ink.write_text("<ink><trace>0 0, 50 20, 10 20</trace></ink>")
    model = Im2Tex.from_pretrained(folder)
    from_file, from_bytes = model.transcribe([picture, picture.read_bytes()])
    assert from_file == from_bytes
    assert model.transcribe(ink)[0].score < 0
    ink.write_text("<ink></ink>")
    with pytest.raises(Im2TexError, match=r"a\.inkml"):
        model.transcribe(ink)


def test_wrong_models_are_named(folder, tmp_path):
    with pytest.raises(Im2TexError, match="there is no model 'nothing'"):
        Im2Tex.from_pretrained("nothing")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(Im2TexError, match=r"model\.safetensors cannot be read"):
        Im2Tex.from_pretrained(broken)
    (broken / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(Im2TexError, match=r"model\.safetensors cannot be read"):
        Im2Tex.from_pretrained(broken)
    (broken / "config.json").write_text('{"im2tex": {"format": 99, "version": "9"}}')
    with pytest.raises(Im2TexError, match="format 99"):
        Im2Tex.from_pretrained(broken)


def test_settings_and_weights_that_do_not_belong_together_are_named(folder, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    settings = json.loads((mixed / "config.json").read_text())
    settings["model"]["decoder_args"]["hidden_size"] += 8
    (mixed / "config.json").write_text(json.dumps(settings))
    with pytest.raises(Im2TexError, match="mixed: its weights do not fit its settings"):
        Im2Tex.from_pretrained(mixed)
    del settings["model"]
    (mixed / "config.json").write_text(json.dumps(settings))
    with pytest.raises(Im2TexError, match=r"config\.json has no settings"):
        Im2Tex.from_pretrained(mixed)


def test_weights_beyond_half_precision_are_refused(tmp_path):
    names = ("encoder", "encoder_args", "decoder", "decoder_args")
    model = Im2Tex(vocabulary=["x"], **{name: TINY["model"][name] for name in names})
    with torch.no_grad():
        model.recognizer.require_decoder().embedding.weight[0, 0] = 1e6
    with pytest.raises(Im2TexError, match="beyond the range of half precision"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", names())
def test_packaged_model_is_small_licensed_and_predicts(name, picture):
    folder = locate(name)
    assert (folder / "model.safetensors").stat().st_size < 16e6
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))["training_data"]
    assert (folder / "LICENSE").read_text(encoding="utf-8") == licence(data)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"- {one}\n" in card for one in data)
    reading = Im2Tex.from_pretrained(name).transcribe(np.asarray(Image.open(picture)))[0]
    assert reading.tokens
