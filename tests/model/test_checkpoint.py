"""Checkpoint files: what one holds, what is refused, and what survives a full disk."""

import errno
import os
import shutil

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics.perplexity import Perplexity
from im2tex.model.checkpoint import FORMAT, read_checkpoint
from im2tex.training.callbacks.best_and_last_checkpoint import BestAndLastCheckpoint
from im2tex.training.checkpoint_io import AtomicCheckpointIO


def altered(checkpoint, path, change):
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def test_checkpoint_has_everything_a_test_needs(checkpoint):
    content = read_checkpoint(checkpoint)
    assert content["im2tex"]["format"] == FORMAT
    model, data = content["hyper_parameters"], content["datamodule_hyper_parameters"]
    assert model["encoder"] == "row_cnn"
    assert model["encoder_args"] == TINY["model"]["encoder_args"]
    assert "+" in model["vocabulary"]
    assert data["source"] == "grammar"
    assert data["source_args"] == TINY["data"]["source_args"]


def test_checkpoint_loads_with_weights_only(checkpoint):
    torch.load(checkpoint, weights_only=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda content: content["im2tex"].update(format=FORMAT + 1),
            ["format 4", "reads formats 1 to 3"],
        ),
        (lambda content: content.pop("im2tex"), ["not written by im2tex"]),
    ],
    ids=["another format", "another program"],
)
def test_checkpoint_of_another_kind_is_refused_by_every_command(
    spoil, words, checkpoint, tmp_path, capsys
):
    path = altered(checkpoint, tmp_path / "other.ckpt", spoil)
    for command in ("fit", "test", "predict"):
        assert im2tex(command, "--ckpt_path", path) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith(f"im2tex: error: {path}")
        for word in words:
            assert word in said
    with pytest.raises(Im2TexError, match=words[-1]):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_checkpoint_is_named_in_the_message(share, checkpoint, tmp_path, capsys):
    path = tmp_path / "cut.ckpt"
    content = checkpoint.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert im2tex("test", "--ckpt_path", path) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert f"{path} cannot be read as a checkpoint" in said[0]


def test_file_that_is_no_checkpoint_is_named_in_the_message(tmp_path, capsys):
    contents = {"text.ckpt": b"hello", "words.ckpt": b"nonsense", "folder.ckpt": None}
    for name, content in contents.items():
        path = tmp_path / name
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        assert im2tex("test", "--ckpt_path", path) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert str(path) in said[0]


# ---------------------------------------------------------------- writing


class Full:
    """A disk that is full after so many bytes."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(torch, "save", self.save)
        self.real = torch.serialization.save

    def save(self, content, path, *rest, **options):
        self.real(content, path, *rest, **options)
        with open(path, "r+b") as file:
            file.truncate(100)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_full_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    files = AtomicCheckpointIO()
    path = tmp_path / "checkpoints" / "last.ckpt"
    files.save_checkpoint({"step": 1}, path)
    Full(monkeypatch)
    with pytest.raises(Im2TexError, match=r"No space left on device\. The previous checkpoint"):
        files.save_checkpoint({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert os.listdir(path.parent) == ["last.ckpt"]


def test_full_device_is_named_in_the_message():
    with pytest.raises(Im2TexError, match="cannot write the checkpoint"):
        AtomicCheckpointIO().save_checkpoint({"step": 1}, "/dev/full/last.ckpt")


def test_full_disk_during_a_fit_is_one_line_and_the_fit_resumes(tmp_path, monkeypatch, capsys):
    path = config(tmp_path, changed(TINY, trainer={"max_epochs": 2}))
    begun = ("fit", "--config", path)
    assert im2tex(*begun, "--trainer.max_epochs", "1") == 0
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    with monkeypatch.context() as patch:
        Full(patch)
        capsys.readouterr()
        assert im2tex(*begun, "--ckpt_path", "last", "--checkpoint.dirpath", last.parent) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "No space left on device" in said
    assert "--ckpt_path" in said
    assert last.read_bytes() == before
    assert im2tex(*begun, "--ckpt_path", "last") == 0


# ---------------------------------------------------------------- which are kept


def test_last_checkpoint_is_written_before_any_score(tmp_path):
    path = config(tmp_path, TINY)
    status = im2tex(
        *("fit", "--config", path, "--trainer.max_steps", "3"),
        *("--checkpoint.every_n_train_steps", "2"),
    )
    assert status == 0
    assert sorted(os.listdir(tmp_path / "runs" / "version_0" / "checkpoints")) == ["last.ckpt"]


def test_resumed_run_in_a_new_folder_keeps_the_best_score(tmp_path, monkeypatch, capsys):
    perplexities = iter([2.0, 3.0, 1.0])
    monkeypatch.setattr(Perplexity, "compute", lambda self: torch.tensor(next(perplexities)))
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path) == 0
    for epochs in (2, 3):
        given = ("--ckpt_path", "last", "--trainer.max_epochs", epochs)
        assert im2tex("fit", "--config", path, *given) == 0
    files = {
        path.relative_to(tmp_path / "runs").as_posix()
        for path in (tmp_path / "runs").rglob("best.ckpt")
    }
    assert files == {"version_0/checkpoints/best.ckpt", "version_2/checkpoints/best.ckpt"}
    said = capsys.readouterr().out
    best = [line.rsplit(": ", 1)[1] for line in said.splitlines() if "best checkpoint" in line]
    assert best == [str(tmp_path / f"runs/version_{n}/checkpoints/best.ckpt") for n in (0, 0, 2)]


def test_negative_number_of_steps_raises():
    with pytest.raises(Im2TexError, match="every_n_train_steps"):
        BestAndLastCheckpoint(every_n_train_steps=-1)


def test_moved_checkpoints_of_a_finished_fit_can_be_continued(trained, checkpoint, tmp_path):
    shutil.copy(checkpoint, tmp_path / "mine.ckpt")
    status = im2tex(
        *("fit", "--ckpt_path", tmp_path / "mine.ckpt", "--trainer.max_epochs", "2"),
        *("--trainer.accelerator", "cpu", "--trainer.default_root_dir", tmp_path / "runs"),
    )
    assert status == 0
    content = read_checkpoint(tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt")
    assert content["global_step"] == 2 * torch.load(checkpoint, weights_only=True)["global_step"]


def test_best_checkpoint_of_a_moved_run_is_found(tmp_path, monkeypatch, capsys):
    perplexities = iter([2.0, 3.0, 4.0, 5.0])
    monkeypatch.setattr(Perplexity, "compute", lambda self: torch.tensor(next(perplexities)))
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path) == 0
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    root = ("--trainer.default_root_dir", tmp_path / "moved")
    for epochs in (2, 3):  # the second time seen from another run than the best one's
        given = ("--ckpt_path", "last", "--trainer.max_epochs", epochs)
        assert im2tex("fit", "--config", path, *root, *given) == 0
        if epochs == 2:
            shutil.move(tmp_path / "moved", tmp_path / "again")
            root = ("--trainer.default_root_dir", tmp_path / "again")
    said = capsys.readouterr().out
    best = [line.rsplit(": ", 1)[1] for line in said.splitlines() if "best checkpoint" in line]
    found = [
        str(tmp_path / f"{name}/version_0/checkpoints/best.ckpt") for name in ("moved", "again")
    ]
    assert best[1:] == found


def test_missing_best_checkpoint_is_a_warning(tmp_path):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path) == 0
    (tmp_path / "runs/version_0/checkpoints/best.ckpt").unlink()
    with pytest.warns(UserWarning, match=r"best checkpoint so far, .*best\.ckpt, does not exist"):
        im2tex("fit", "--config", path, "--ckpt_path", "last", "--trainer.max_epochs", "2")
