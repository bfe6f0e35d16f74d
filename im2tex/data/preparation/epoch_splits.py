"""Makes a new training split for each epoch, in a process that runs during training.

While epoch `n` is trained, a subprocess prepares the split of epoch `n + 1`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from im2tex.data.arrow_cache import remove_derived
from im2tex.data.shards import remove_files
from im2tex.errors import Im2TexError

_SHUTDOWN_TIMEOUT_S = 10
_KEPT_SPLITS = 2  # the current and the previous epoch's, so that the previous checkpoint can resume


class EpochSplits(Protocol):
    """A source with a training split for each epoch."""

    def epoch_name(self, epoch: int) -> str:
        """Returns the name of the epoch's split."""

    def path(self, root: Path, split: str) -> Path:
        """Returns the store file of a split."""

    def is_current(self, root: Path, epoch: int) -> bool:
        """Returns whether the epoch's split exists and has the current settings."""

    def command(self, root: Path, epoch: int) -> Sequence[str]:
        """Returns the command line that makes the epoch's split."""


@dataclass(frozen=True, slots=True)
class _Build:
    """A process that makes an epoch's split, and the function that terminates it."""

    epoch: int
    process: subprocess.Popen[bytes]
    terminate: Callable[[], object]


class EpochSplitBuilder:
    """Makes the training splits of a source ahead of their epochs, in one process of a run.

    A split that exists already is used as it is. Of the splits made by this object, the last two
    are kept.

    Args:
        splits: the source.
    """

    def __init__(self, splits: EpochSplits) -> None:
        self._splits = splits
        self._build: _Build | None = None
        self._built: list[Path] = []

    def name(self, epoch: int) -> str:
        """Returns the name of the epoch's split."""
        return self._splits.epoch_name(epoch)

    def ensure_ready(self, root: Path, epoch: int, more: bool) -> None:
        """Waits until the epoch's split exists.

        Args:
            root: the data root.
            epoch: index of the epoch, from 0.
            more: another epoch follows, so its split is started as well.

        Raises:
            Im2TexError: if the split cannot be made.
        """
        self._start(root, epoch)
        if self._build is not None:
            self._finish(root, self._build)
        if more:
            self._start(root, epoch + 1)

    def close(self) -> None:
        """Terminates the running build; the next build of the same epoch resumes it."""
        if self._build is not None:
            self._build.terminate()
            self._build = None

    def _start(self, root: Path, epoch: int) -> None:
        if self._build is not None and self._build.epoch == epoch:
            return
        self.close()
        if self._splits.is_current(root, epoch):
            return
        nice = [nice, "-n", "10"] if (nice := shutil.which("nice")) else []
        process = subprocess.Popen(
            [*nice, *self._splits.command(root, epoch)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        # The finalizer also runs when the program ends.
        self._build = _Build(epoch, process, weakref.finalize(self, _terminate, process))

    def _finish(self, root: Path, build: _Build) -> None:
        output = build.process.communicate()[1].decode(errors="replace").strip()
        self.close()
        status = build.process.returncode
        if status or not self._splits.is_current(root, build.epoch):
            reason = output.splitlines()[-1] if output else f"exit status {status}, no message"
            raise Im2TexError(f"the samples of epoch {build.epoch} cannot be made: {reason}")
        self._built.append(self._splits.path(root, self.name(build.epoch)))
        while len(self._built) > _KEPT_SPLITS:
            split = self._built.pop(0)
            remove_files(split)
            remove_derived(split)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(_SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stderr is not None:
        process.stderr.close()
