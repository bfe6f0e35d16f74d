"""Files of format 1, which im2tex wrote at commit e526574, still load."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tiny_run import im2tex, steps

from im2tex import Im2Tex, Recognizer
from im2tex.data.dataset import Batch, FormulaDataset, stack
from im2tex.data.source import SOURCES
from im2tex.decoders import SearchOptions
from im2tex.evaluation.results import read_result
from im2tex.model.checkpoint import FORMAT, read_checkpoint
from im2tex.model.migration import rename_weights

FILES = Path(__file__).parents[1] / "fixtures" / "format_1"
SETTINGS = {"size_train": 32, "size_validation": 8, "size_test": 8}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A folder with the store of the old fit in its place."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FILES / "grammar", tmp_path / "data" / "grammar")
    return tmp_path


def predictions(name, samples, root):
    """What a model predicts for the inks that the fixture's predictions are of."""
    expected = json.loads((FILES / "predictions.json").read_text(encoding="utf-8"))[name]
    model = Recognizer.from_pretrained(FILES / name if name == "model" else name)
    split = SOURCES.build("grammar", SETTINGS).split(root / "data", samples)
    dataset = FormulaDataset(split, model.preprocessing)
    found = {}
    for key in expected:
        image = dataset[(0, [split.all_keys().index(key)])].images[0, 0].numpy()
        parts = stack([image])
        batch = Batch([key], parts["images"], parts["sizes"], [()])
        with torch.inference_mode():
            best = model.search(batch, SearchOptions(5, 40))[0][0]
        latex = " ".join(model.require_vocabulary().decode(best.tokens))
        found[key] = {
            "latex": latex,
            "log_probability": pytest.approx(best.score, rel=1e-6, abs=1e-5),
        }
    return found, expected


@pytest.mark.parametrize(("name", "samples"), [("model", "test"), ("handwritten_small", "train")])
def test_model_folder_of_format_1_gives_the_same_predictions(run, name, samples):
    found, expected = predictions(name, samples, run)
    assert expected == found


def test_checkpoint_of_format_1_resumes_with_its_weights_and_schedule(run):
    flags = ("--trainer.max_epochs", 2, "--trainer.log_every_n_steps", 1)
    assert im2tex("fit", "--ckpt_path", FILES / "epoch_1.ckpt", *flags) == 0
    (log,) = run.glob("runs/version_*")
    columns = "train/lr", "train/nll"
    found = steps(log, *columns)
    shutil.copy(FILES / "two_epochs.csv", run / "metrics.csv")
    expected = {step: row for step, row in steps(run, *columns).items() if step >= 5}
    assert found.keys() == expected.keys()
    # The batches of an epoch are others than in version 0.1, their losses similar.
    for step, (rate, loss) in expected.items():
        assert found[step] == (pytest.approx(rate), pytest.approx(loss, rel=0.05))


def test_checkpoint_of_format_1_optimiser_moments_meet_their_parameters():
    content = read_checkpoint(FILES / "epoch_1.ckpt")
    assert content["im2tex"]["format"] == FORMAT
    model = Im2Tex.load_from_checkpoint(FILES / "epoch_1.ckpt")
    optimizer = model.optimizer.build(model)
    optimizer.load_state_dict(content["optimizer_states"][0])
    found = {
        name.removeprefix("recognizer."): float(optimizer.state[parameter]["exp_avg"].norm())
        for name, parameter in model.named_parameters()
    }
    expected = json.loads((FILES / "moments.json").read_text(encoding="utf-8"))
    expected = rename_weights(expected, content["hyper_parameters"])
    assert len(set(expected.values())) > 10  # the parameters can be told apart
    assert found == pytest.approx(expected)


def test_checkpoint_of_format_1_keeps_both_kinds_of_weights():
    old = torch.load(FILES / "epoch_1.ckpt", weights_only=True)
    new = read_checkpoint(FILES / "epoch_1.ckpt")
    for name in ("state_dict", "current_model_state"):
        names = rename_weights(old[name], new["hyper_parameters"])
        assert new[name].keys() == {f"recognizer.{key}" for key in names}
    assert (
        new["state_dict"].keys()
        == Im2Tex.load_from_checkpoint(FILES / "epoch_1.ckpt").state_dict().keys()
    )


def test_checkpoint_of_format_1_states_belong_to_renamed_callbacks():
    keys = read_checkpoint(FILES / "epoch_1.ckpt")["callbacks"]
    assert [key.partition("{")[0] for key in keys] == [
        "AttentionImages",
        "EMA",
        "BestAndLastCheckpoint",
    ]


def test_checkpoint_of_format_1_starts_another_fit(run, capsys):
    flags = ("--data.source_args", json.dumps(SETTINGS), "--data.num_workers", 0)
    content = read_checkpoint(FILES / "epoch_1.ckpt")["hyper_parameters"]
    same = (
        *("--model.encoder_args", json.dumps(content["encoder_args"])),
        *("--model.decoder_args", json.dumps(content["decoder_args"])),
        *("--model.preprocessing", json.dumps(content["preprocessing"])),
    )
    start = ("--model.init_from", FILES / "epoch_1.ckpt", "--trainer.max_steps", 1)
    assert im2tex("fit", *flags, *same, *start, "--trainer.accelerator", "cpu") == 0
    assert "new: none" in capsys.readouterr().out


def test_configuration_with_class_paths_of_0_1_is_accepted_with_a_warning(run, capsys):
    (run / "old.yaml").write_text(
        "trainer:\n  callbacks: [{class_path: im2tex.callbacks.AttentionPictures}]\n"
    )
    with (
        pytest.warns(FutureWarning, match=r"im2tex\.training\.callbacks"),
        pytest.raises(SystemExit) as end,
    ):
        im2tex("fit", "--config", "old.yaml", "--print_config")
    assert end.value.code == 0
    assert "im2tex.training.callbacks.AttentionImages" in capsys.readouterr().out


def test_flag_with_a_class_path_of_0_1_is_accepted_with_a_warning(run, capsys):
    flag = "--trainer.callbacks+=im2tex.callbacks.AttentionPictures"
    with (
        pytest.warns(FutureWarning, match=r"im2tex\.training\.callbacks"),
        pytest.raises(SystemExit) as end,
    ):
        im2tex("fit", flag, "--print_config")
    assert end.value.code == 0
    assert "im2tex.training.callbacks.AttentionImages" in capsys.readouterr().out


def test_result_of_format_1_is_compared_with_a_new_one(run, capsys):
    result = read_result(FILES / "result.json")
    assert result["metrics"]["test"]["token_exact"] == 0
    assert result["signatures"]["beam"].endswith("models=2, scales=0.8/1)")
    (run / "results").mkdir()
    shutil.copy(FILES / "result.json", run / "results")
    assert im2tex("report", "study", run / "results", "--out", run / "study.md") == 0
    assert "result" in (run / "study.md").read_text(encoding="utf-8")


def test_export_accepts_result_with_old_names(tmp_path):
    checkpoint, result = FILES / "epoch_1.ckpt", FILES / "result.json"
    ensemble = ("--ensemble", checkpoint, "--scales", "0.8", "1")
    export = ("export", "--ckpt_path", checkpoint, "--folder", tmp_path / "model", *ensemble)
    assert im2tex(*export, "--result", result) == 0
