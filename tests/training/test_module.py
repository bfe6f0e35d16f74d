"""`Im2Tex` from Python: built, fitted, asked to read pictures, counted on."""

import json
import math
import re
from typing import ClassVar

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from tiny_run import TINY, changed, config, im2tex, lines, steps

from im2tex.data.datamodule import FormulaDataModule
from im2tex.data.dataset import Batch, stack
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result
from im2tex.latex.tokens import join_tokens
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.prediction import Prediction
from im2tex.model.recognizer import Recognizer
from im2tex.training.callbacks.test_report import TestReport
from im2tex.training.module import Im2Tex

SMALL = {
    name: TINY["model"][name] for name in ("encoder", "encoder_args", "decoder", "decoder_args")
}
WORDS = ["x", "+", "1", "="]


@pytest.fixture(scope="module")
def model(checkpoint):
    """A trained one, whose readings differ from picture to picture."""
    model = Im2Tex.load_from_checkpoint(checkpoint).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        # One epoch teaches it nothing; louder weights make it say different things.
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


@pytest.fixture(scope="module")
def pictures(model, trained):
    """Pictures of the test split as arrays, black on white, of differing sizes."""
    split = SOURCES.build("grammar", TINY["data"]["source_args"]).split(trained / "data", "test")
    return [255 - model.preprocessing.rasterize(sample.ink).image for sample in split]


# ---------------------------------------------------------------- construction


def test_module_from_names_and_vocabulary_is_built():
    model = Im2Tex(vocabulary=WORDS, attention="standard", **SMALL)
    assert model.recognizer.require_vocabulary().ordinary == tuple(WORDS)
    assert model.recognizer.require_decoder().output.out_features == 4 + len(WORDS)
    assert model.preprocessing.stride == model.recognizer.encoder.stride == (8, 8)


def test_module_without_vocabulary_raises_with_advice():
    with pytest.raises(Im2TexError, match="no vocabulary yet"):
        Im2Tex(**SMALL).transcribe(np.eye(9, dtype=np.uint8) * 255)
    bound = Im2Tex(vocabulary=WORDS, **SMALL)
    with pytest.raises(Im2TexError, match="already has a vocabulary"):
        bound.recognizer.set_vocabulary(bound.recognizer.require_vocabulary())


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"encoder": "row_cn"}, "did you mean 'row_cnn'"),
        ({"decoder": "x"}, "unknown decoder 'x'"),
        ({"preprocessing": {"size": 3}}, "takes no argument 'size'"),
        ({"optimizer_args": {"learning_rate": 3}}, "takes no argument 'learning_rate'"),
        ({"n_best": 9}, "n_best must be between 1 and beam_size"),
    ],
)
def test_module_incompatible_components_raise(settings, word):
    with pytest.raises(Im2TexError, match=word):
        Im2Tex(vocabulary=WORDS, **(SMALL | settings))


def test_init_range_bounds_parameters():
    model = Im2Tex(vocabulary=WORDS, init_range=0.05, **SMALL)
    extremes = [float(p.detach().abs().max()) for p in model.parameters()]
    assert max(extremes) <= 0.05
    assert sum(extremes) / len(extremes) > 0.03


def test_init_range_with_pretrained_encoder_raises():
    arguments = {"model": "resnet18", "pretrained": True}
    with pytest.raises(Im2TexError, match=r"model\.init_range would overwrite"):
        Im2Tex(init_range=0.05, encoder="timm", encoder_args=arguments)


def test_load_from_checkpoint_by_path_gives_the_model(checkpoint):
    model = Im2Tex.load_from_checkpoint(checkpoint)
    content = read_checkpoint(checkpoint)
    assert (
        list(model.recognizer.require_vocabulary().ordinary)
        == content["hyper_parameters"]["vocabulary"]
    )
    assert model.preprocessing.symbol_size == 12
    for name, value in model.state_dict().items():
        assert torch.equal(value, content["state_dict"][name])


# ---------------------------------------------------------------- reading


def same(one, other):
    return (
        one.latex == other.latex
        and one.finished == other.finished
        and one.score == pytest.approx(other.score, rel=1e-4)
        and [text for text, _ in one.n_best] == [text for text, _ in other.n_best]
    )


def test_transcribe_several_images_equals_single_images_in_order(model, pictures):
    together = model.transcribe(pictures, beam_size=3, max_length=12, batch_size=3)
    assert len({reading.latex for reading in together}) > 1
    for picture, reading in zip(pictures, together, strict=True):
        (alone,) = model.transcribe(picture, beam_size=3, max_length=12)
        assert same(reading, alone)


def test_transcribe_paths_images_and_arrays_agree(model, pictures, tmp_path):
    pixels = pictures[0]
    path = tmp_path / "formula.png"
    Image.fromarray(pixels).save(path)
    sources = [path, str(path), Image.fromarray(pixels), pixels, 255 - pixels]
    readings = model.transcribe(sources, max_length=12)
    assert all(same(reading, readings[0]) for reading in readings)


def test_transcribe_n_best_has_scores_and_alternatives(model, pictures):
    for reading in model.transcribe(pictures[:3], beam_size=4, n_best=4, max_length=12):
        assert isinstance(reading, Prediction)
        assert reading.latex == join_tokens(reading.tokens)
        assert len(reading.n_best) == 4
        assert reading.n_best[0] == (reading.latex, reading.score)
        scores = [score for _, score in reading.n_best]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] <= 0


def test_transcribe_max_length_limits_prediction(model, pictures):
    for reading in model.transcribe(pictures, beam_size=1, max_length=3):
        assert len(reading.tokens) <= 3
        assert reading.finished == (len(reading.tokens) < 3)


def test_transcribe_keeps_training_mode(checkpoint, pictures):
    model = Im2Tex.load_from_checkpoint(checkpoint)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.transcribe(pictures[:2], max_length=3)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_transcribe_empty_list_gives_no_prediction(model):
    assert model.transcribe([]) == []


def test_transcribe_unreadable_image_raises_with_its_name(model, pictures, tmp_path):
    (tmp_path / "text.png").write_text("hello", encoding="utf-8")
    Image.new("L", (30, 30), 255).save(tmp_path / "blank.png")
    for name in ("missing.png", "text.png", "blank.png"):
        with pytest.raises(Im2TexError, match=name):
            model.transcribe([pictures[0], tmp_path / name])
    with pytest.raises(Im2TexError, match="blank"):
        model.transcribe(np.zeros((9, 9), np.uint8))


# ---------------------------------------------------------------- tokens


def test_test_report_counts_unknown_tokens():
    model = Im2Tex(vocabulary=WORDS, **SMALL)
    images = stack([np.full((8, 8), 255, np.uint8)] * 2)
    batch = Batch(["a", "b"], tokens=[("x", r"\heartsuit"), ("1", "y", "z")], **images)
    tokens = model.recognizer.targets(batch).tokens
    # <eos> 2, <unk> 3, <pad> 0; ordinary tokens from 4.
    assert tokens.tolist() == [[4, 3, 2, 0], [6, 3, 3, 2]]
    assert model.recognizer.unknown_tokens == 3


def test_fit_min_count_makes_rare_tokens_unknown(tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--model.min_count", "15") == 0
    content = read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")
    words = content["hyper_parameters"]["vocabulary"]
    split = SOURCES.build("grammar", TINY["data"]["source_args"]).split(tmp_path / "data", "train")
    counts = {}
    for tokens in split.tokens():
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    assert set(words) == {token for token, n in counts.items() if n >= 15}
    assert 0 < len(words) < len(counts)
    rare = [n for n in counts.values() if n < 15]
    assert f"{len(rare)} rarer tokens, {sum(rare)} occurrences" in capsys.readouterr().out
    assert content["state_dict"]["recognizer.decoder.embedding.weight"].shape[0] == 4 + len(words)


def test_loaded_model_keeps_vocabulary_on_other_splits(checkpoint, tmp_path):
    # Test labels hold a token that was never seen: it is wrong there, and nothing breaks.
    root = tmp_path / "data"
    (tmp_path / "mine").mkdir()
    Image.fromarray(255 - 255 * np.eye(30, dtype=np.uint8)).save(tmp_path / "mine" / "a.png")
    (tmp_path / "mine" / "labels.tsv").write_text("a.png\t\\heartsuit\n", encoding="utf-8")
    status = im2tex(
        *("test", "--ckpt_path", checkpoint, "--data.source", "folder", "--data.root", root),
        *("--data.source_args.path", tmp_path / "mine", "--data.source_args.validation", "0"),
        *("--data.test_splits", "train", "--report.folder", tmp_path / "results"),
    )
    assert status == 0
    (sample,) = lines(tmp_path / "results" / "folder" / "test.train.samples.jsonl")
    assert sample["gold"] == [r"\heartsuit"]
    assert sample["metrics"]["token_exact"] is False
    table = (tmp_path / "results" / "folder" / "test.md").read_text(encoding="utf-8")
    assert re.search(r"with unknown tokens\W+1\b", table)


# ---------------------------------------------------------------- counting


def test_test_report_counts_failed_and_unlabelled_samples_as_wrong(
    checkpoint, trained, tmp_path, monkeypatch
):
    source = SOURCES.build("grammar", TINY["data"]["source_args"])
    good = list(source.split(trained / "data", "test"))[:3]
    samples = [
        *good,
        Sample("broken", "x", ("x",), image=b"no picture"),
        Sample("unlabelled", "", (), good[0].ink),
    ]
    root = tmp_path / "data"
    for split in ("train", "test_2014"):
        write_split(root / "crohme" / f"{split}.parquet", samples, {"source": "crohme"})
    # A model that says nothing: right for an empty label, if one did not look.
    monkeypatch.setattr(
        Recognizer, "require_vocabulary", lambda self: Silent(self.vocabulary.ordinary)
    )
    status = im2tex(
        *("test", "--ckpt_path", checkpoint, "--data.source", "crohme", "--data.root", root),
        *("--data.test_splits", "test_2014", "--report.folder", tmp_path),
    )
    assert status == 0
    records = {one["key"]: one for one in lines(tmp_path / "crohme/test.test_2014.samples.jsonl")}
    assert list(records) == [sample.key for sample in samples]
    assert not any(record["metrics"]["token_exact"] for record in records.values())
    assert records["broken"]["prediction"] is None
    assert records["broken"]["failed_at"] == "draw"
    assert records["unlabelled"]["prediction"] == []
    assert records["unlabelled"]["failed_at"] == "score"
    result = json.loads((tmp_path / "crohme" / "test.json").read_text(encoding="utf-8"))
    assert result["metrics"]["test_2014"]["token_exact"] == 0
    table = (tmp_path / "crohme" / "test.md").read_text(encoding="utf-8")
    assert "without a label" in table


class Silent(Vocabulary):
    def decode(self, numbers):
        return []


def test_fit_and_test_from_python(tmp_path):
    settings = {**TINY["data"], "root": str(tmp_path)}
    data = FormulaDataModule(**settings)
    model = Im2Tex(**SMALL, max_length=5)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=2,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, data)
    assert trainer.global_step == 2
    (scores,) = trainer.test(model, data, verbose=False)
    assert scores["test/token_exact"] == model.tests["test"].values["token_exact"]
    assert len(model.tests["test"].records) == 8
    readings = trainer.predict(model, data)
    assert sum(map(len, readings)) == 8


def test_test_logs_the_values_of_its_result_file(checkpoint, tmp_path):
    class Recorder(CSVLogger):
        logged: ClassVar[dict[str, float]] = {}

        def log_metrics(self, metrics, step=None):
            self.logged.update(metrics)

    data = FormulaDataModule(**TINY["data"], root=str(tmp_path))
    report = TestReport(str(tmp_path / "results"), "study", engine="none")
    trainer = Trainer(
        accelerator="cpu",
        logger=Recorder(tmp_path),
        callbacks=[report],
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.test(Im2Tex.load_from_checkpoint(checkpoint), data, verbose=False)
    result = read_result(tmp_path / "results" / "study" / "test.json")
    values = {f"test/{name}": value for name, value in result["metrics"]["test"].items()}
    logged = {n: v for n, v in Recorder.logged.items() if n.startswith("test/")}
    assert logged.keys() == values.keys()
    for name, value in values.items():
        expected = math.nan if value is None else value
        assert logged[name] == pytest.approx(expected, rel=1e-6, nan_ok=True), name


def test_clip_norm_clips_gradient_and_logs_norm(tmp_path):
    path = config(tmp_path, changed(TINY, model={"optimizer": "sgd", "schedule": "constant"}))
    given = ["fit", "--config", path, "--trainer.max_steps", "1", "--model.optimizer_args.lr", "1"]
    norms, moves = [], []
    for limit in (0, 0.1):
        folder = tmp_path / f"limit-{limit}"
        assert im2tex(*given, "--model.clip_norm", limit, "--trainer.default_root_dir", folder) == 0
        norms.append(steps(folder / "version_0", "train/grad_norm")[0][0])
        moves.append(
            read_checkpoint(folder / "version_0" / "checkpoints" / "last.ckpt")["state_dict"]
        )
    assert norms[0] == norms[1] > 0.1
    names = [name for name in moves[0] if "running" not in name and "num_batches" not in name]
    start = torch.cat([(moves[0][name] - moves[1][name]).flatten() for name in names])
    # The weights of the two differ by the part of the step that was cut off, at a rate of 1.
    assert float(start.norm()) == pytest.approx(norms[0] - 0.1, rel=1e-3)
