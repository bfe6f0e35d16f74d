"""Handling of SIGTERM and Ctrl-C, and the exit status of a stopped command."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_REPEAT_S = 1.0  # a terminal and a parent process may both send the same signal


class StoppedBySignal(Exception):
    """A signal has stopped a command.

    Args:
        message: how to resume; "" if another process prints it.
        signum: number of the signal.

    Attributes:
        status: the exit status, 128 plus the number of the signal.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


class StopRequest:
    """The request to stop that a process has received by a signal.

    A signal raises `KeyboardInterrupt`. While the request is `delayed`, it is recorded only: the
    work reads `signum` and stops where it can be resumed. A second signal, more than a second after
    the first, raises in any case.

    Attributes:
        signum: the first signal; None before.
        delayed: whether the work reads `signum` itself.
        pass_on: sends a signal to the worker processes; returns false if there are none.
        advice: returns a message about how to resume.
        listens: whether the signal handlers are installed.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Restores the initial state, for this process."""
        self.signum: int | None = None
        self.delayed = False
        self.pass_on: Callable[[int], bool] | None = None
        self.advice: Callable[[], str] = lambda: f"stopped by {self.name}: repeat the same command."
        self._since = 0.0
        self._process = os.getpid()
        self.listens = False

    @property
    def name(self) -> str:
        """The signal's name, such as SIGTERM."""
        return signal.Signals(self.signum or signal.SIGTERM).name

    def listen(self) -> None:
        """Installs the handlers, except for a signal that is ignored, as after `nohup`."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._receive)

    def listen_here(self) -> None:
        """Installs the handlers again, after a library has replaced them or after a fork."""
        if os.getpid() != self._process or not self.listens:
            self.reset()
            self.listens = True
        self.listen()

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Installs the handlers for a block, and then restores the earlier ones."""
        self.reset()
        self.listens = True
        before = {signum: signal.getsignal(signum) for signum in SIGNALS}
        self.listen()
        try:
            yield self
        finally:
            self.delayed, self.listens = False, False
            if threading.current_thread() is threading.main_thread():
                for signum, handler in before.items():
                    if handler is not None:  # None: installed by C code
                        signal.signal(signum, handler)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked process, which inherited the handler
            if signum == signal.SIGTERM:
                signal.signal(signum, signal.SIG_DFL)
                os.kill(os.getpid(), signum)
            return
        now = time.monotonic()
        again = self.signum is not None and now - self._since > _REPEAT_S
        if self.signum is None:
            self.signum, self._since = signum, now
        if self.pass_on is not None and self.pass_on(signum):
            return
        if self.delayed and not again:
            return
        raise KeyboardInterrupt


STOP_REQUEST = StopRequest()
"""The request of this process."""


def started_by_lightning() -> bool:
    """Whether Lightning has started this process for a further device of a run."""
    other_launchers = ("TORCHELASTIC_RUN_ID", "SLURM_LOCALID", "SLURM_PROCID")
    return os.environ.get("LOCAL_RANK", "0") != "0" and not any(
        name in os.environ for name in other_launchers
    )


def wait_for_launcher_exit(seconds: float = 10.0) -> None:
    """Waits until the parent process has ended.

    Lightning kills the parent, which may be writing a file, when a child ends with an error.

    Args:
        seconds: longest time to wait.
    """
    parent, until = os.getppid(), time.monotonic() + seconds
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(0.05)
