"""Callbacks that do to a fit what happens to it from outside."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback


class SignalAt(Callback):
    """Sends this process a signal in a training step, before its optimiser moves."""

    def __init__(self, step: int, name: str = "SIGTERM"):
        self.step = step
        self.signum = getattr(signal, name)

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.fit_loop.epoch_loop.total_batch_idx + 1 == self.step:
            os.kill(os.getpid(), self.signum)


class SignalInValidation(Callback):
    def on_validation_batch_start(self, trainer, module, *rest):
        os.kill(os.getpid(), signal.SIGTERM)


class SignalInTest(Callback):
    def on_test_batch_start(self, *rest):
        os.kill(os.getpid(), signal.SIGTERM)

    on_predict_batch_start = on_test_batch_start


class BreakAt(Callback):
    """Makes a value of the weights, or the next loss, no finite number before a step."""

    def __init__(self, step: int, value: float = float("nan"), rank: int = -1):
        self.step, self.value, self.rank = step, value, rank

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_step + 1 == self.step and self.rank in (-1, trainer.global_rank):
            with torch.no_grad():
                next(module.parameters()).view(-1)[0] = self.value


class Wait(Callback):
    """Says in a file that a step has come, and waits there for a signal."""

    def __init__(self, file: str, step: int = 3):
        self.file, self.step = file, step

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if trainer.global_step + 1 >= self.step:
            Path(self.file).touch()
            time.sleep(0.5)


class StopEarly(Callback):
    """Ends a fit as early stopping does."""

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = True


class KillLoader(Callback):
    """Kills the processes that load data, as the system does where memory runs out."""

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == 2:
            for process in multiprocessing.active_children():
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.5)
