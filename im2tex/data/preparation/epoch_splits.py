"""An endless stream of training samples: a set an epoch, each made while the one before is used."""

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

from im2tex.errors import Im2TexError

_SHUTDOWN_TIMEOUT_S = 10  # seconds for a process to put its things away
_KEPT_SPLITS = 2  # sets: that of the epoch, and the one before for who goes back to its checkpoint


class EpochSplits(Protocol):
    """The sets of a stream, one an epoch: split `epoch_name(epoch)` of a source."""

    def epoch_name(self, epoch: int) -> str:
        """Name of the split."""

    def path(self, root: Path, split: str) -> Path:
        """Its file."""

    def is_current(self, root: Path, epoch: int) -> bool:
        """Whether it is there, and is what is asked for."""

    def command(self, root: Path, epoch: int) -> Sequence[str]:
        """The program that makes it."""


@dataclass(frozen=True, slots=True)
class _Making:
    """A process that makes the set of an epoch, and what ends it."""

    epoch: int
    process: subprocess.Popen[bytes]
    end: Callable[[], object]


class EpochSplitBuilder:
    """Sees to it that the set of an epoch is there when it is trained; in one process of a run.

    A set that is there already, of an earlier run or made ahead, is used as it is. Of those made
    by this object the last two are kept.

    Args:
        sets: what they are and how to make one.
    """

    def __init__(self, sets: EpochSplits) -> None:
        self._sets = sets
        self._making: _Making | None = None
        self._made: list[Path] = []

    def name(self, epoch: int) -> str:
        """Name of the split that is the set of an epoch."""
        return self._sets.epoch_name(epoch)

    def ensure_ready(self, root: Path, epoch: int, more: bool) -> None:
        """Returns when the set of an epoch is there.

        Args:
            root: the data root.
            epoch: from 0.
            more: another epoch follows: its set is begun.

        Raises:
            Im2TexError: if it cannot be made.
        """
        self._begin(root, epoch)
        if self._making is not None:
            self._finish(root, self._making)
        if more:
            self._begin(root, epoch + 1)

    def close(self) -> None:
        """Ends what is being made; what is done of it is taken up when it is asked for again."""
        if self._making is not None:
            self._making.end()
            self._making = None

    def _begin(self, root: Path, epoch: int) -> None:
        if self._making is not None and self._making.epoch == epoch:
            return
        self.close()
        if self._sets.is_current(root, epoch):
            return
        nice = [nice, "-n", "10"] if (nice := shutil.which("nice")) else []
        process = subprocess.Popen(
            [*nice, *self._sets.command(root, epoch)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        # Also at the end of the program, however it comes.
        self._making = _Making(epoch, process, weakref.finalize(self, _end, process))

    def _finish(self, root: Path, making: _Making) -> None:
        said = making.process.communicate()[1].decode(errors="replace").strip()
        self.close()
        if making.process.returncode or not self._sets.is_current(root, making.epoch):
            status = making.process.returncode
            why = said.splitlines()[-1] if said else f"it ended with {status} and said nothing"
            raise Im2TexError(f"the samples of epoch {making.epoch} cannot be made: {why}")
        self._made.append(self._sets.path(root, self._sets.epoch_name(making.epoch)))
        while len(self._made) > _KEPT_SPLITS:
            self._made.pop(0).unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(_SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stderr is not None:
        process.stderr.close()
