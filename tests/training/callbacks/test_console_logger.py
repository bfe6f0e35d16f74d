"""The log of a run in the background reads well; a terminal gets a bar."""

import re
import sys

import pytest
import torch
from helpers_callbacks import Batch, Small, batches, small_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny_run import TINY, changed, config, im2tex

from im2tex.training.callbacks import ConsoleLogger, TerminalProgressBar


def lines(text: str) -> list[str]:
    """What ConsoleLogger wrote, without Lightning's own notes."""
    return [
        line
        for line in text.splitlines()
        if re.match(r"\s*(epoch \d|validation:|test:|predict:|fit ended)", line)
    ]


def test_console_logger_prints_line_per_epoch(tmp_path, capsys):
    small_trainer(tmp_path, ConsoleLogger(), TerminalProgressBar()).fit(
        Small(), batches(4), batches(2)
    )
    out = capsys.readouterr().out
    found = lines(out)
    assert len(found) == 3
    for epoch, line in enumerate(found[:2]):
        # The mean of 0, 1, 2 and 3 is 1.5; near misses are left to the files.
        assert re.fullmatch(
            rf"epoch {epoch} \({epoch + 1}/2\)  step {4 * epoch + 4}  loss 1\.5000  "
            r"val token_exact 12\.50 %, perplexity 1\.235  lr 0\.01  grad 1\.50  "
            r"\d+\.\d images/s  0:00:\d\d",
            line,
        ), line
    assert re.fullmatch(r"fit ended after step 8, 0:00:\d\d", found[2])
    assert "\r" not in out  # no bar where nobody watches
    assert "it/s" not in out


def test_console_logger_prints_line_per_validation(tmp_path, capsys):
    small_trainer(tmp_path, ConsoleLogger(), max_epochs=1, val_check_interval=2).fit(
        Small(), batches(6), batches(2)
    )
    found = [line.split("  ")[1:3] for line in lines(capsys.readouterr().out)[:-1]]
    assert found == [
        ["step 2", "loss 0.5000"],
        ["step 4", "loss 1.5000"],
        ["step 6", "loss 2.5000"],
    ]


def test_console_logger_loss_under_accumulation_is_per_batch(tmp_path, capsys):
    trainer = small_trainer(tmp_path, ConsoleLogger(), max_epochs=1, accumulate_grad_batches=2)
    trainer.fit(Small(), batches(4))
    assert "step 2  loss 1.5000  lr" in capsys.readouterr().out  # nor a val without validation


def test_console_logger_prints_progress_by_time(tmp_path, capsys):
    callback = ConsoleLogger(seconds=1e-9)
    trainer = small_trainer(tmp_path, callback, max_epochs=1)
    trainer.fit(Small(), batches(2), batches(2))
    trainer.test(Small(), batches(2), verbose=False)
    found = [re.sub(r"  step.*", "", line) for line in lines(capsys.readouterr().out)]
    assert found == [
        "  epoch 0 (1/1)  1/2 batches",
        "  validation: 1/2 batches",
        "  validation: 2/2 batches",
        "epoch 0 (1/1)",
        found[4],
        "  test: 1/2 batches",
        "  test: 2/2 batches",
    ]
    assert found[4].startswith("fit ended")


def test_console_logger_names_split_of_several(tmp_path, capsys):
    class Two(Small):
        def test_step(self, batch, batch_idx, dataloader_idx=0):
            pass

    trainer = small_trainer(tmp_path, ConsoleLogger(seconds=1e-9))
    trainer.test(Two(), [batches(1), batches(1)], verbose=False)
    assert lines(capsys.readouterr().out) == [
        "  test: 1/1 batches of split 1/2",
        "  test: 1/1 batches of split 2/2",
    ]


def test_console_logger_names_best_checkpoint(tmp_path, capsys):
    best = ModelCheckpoint(tmp_path / "kept", "best", monitor="val/perplexity")
    trainer = small_trainer(tmp_path, ConsoleLogger(), best, enable_checkpointing=True)
    trainer.fit(Small(), batches(1), batches(1))
    assert f"best checkpoint: {tmp_path / 'kept' / 'best.ckpt'}" in capsys.readouterr().out


def test_fit_without_validation_reports_that_there_is_no_best_checkpoint(tmp_path, capsys):
    settings = changed(TINY, trainer={"check_val_every_n_epoch": 2})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    last = tmp_path / "runs/version_0/checkpoints/last.ckpt"
    assert "no best checkpoint, since the fit had no validation" in line
    assert "trainer.check_val_every_n_epoch 2" in line
    assert line.endswith(f"last checkpoint: {last}")
    best = last.with_name("best.ckpt")
    assert im2tex("export", "--ckpt_path", best, "--folder", tmp_path / "m") == 2
    assert f"there is no checkpoint {best}. There is {last}" in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_bar_is_for_terminals_and_refreshed_by_time(tmp_path, monkeypatch, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    bar = TerminalProgressBar(seconds=1000)
    small_trainer(tmp_path, bar).fit(Small(), batches(1))
    assert bar.is_enabled == terminal
    updates = [bar._should_update(n, 50) for n in range(1, 51)]
    assert updates == [False] * 49 + [terminal]  # the first refresh was in the fit
    assert "v_num" not in bar.get_metrics(bar.trainer, bar.trainer.lightning_module)


def test_console_logger_accepts_other_batches(tmp_path, capsys):
    class Plain(Small):
        def training_step(self, batch, batch_idx):
            return super().training_step(Batch(batch), batch_idx)

    data = torch.utils.data.DataLoader(torch.zeros(2, 1))
    small_trainer(tmp_path, ConsoleLogger(), max_epochs=1).fit(Plain(), data)
    assert "images/s" not in capsys.readouterr().out
