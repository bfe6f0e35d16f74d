"""SIGTERM and Ctrl-C: how a command learns of them, and with which status it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_TWICE = 1.0  # seconds; a terminal and a parent process may both send the same signal


class StoppedBySignal(Exception):
    """A signal has ended a command before its end.

    Args:
        message: how to go on, for a person to read; "" where another process says it.
        signum: the signal.

    Attributes:
        status: the exit status, 128 and the signal's number as shells count.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.status = 128 + signum


class StopRequest:
    """The signal that asked a process to end.

    A signal raises `KeyboardInterrupt`, unless the work is `delayed`: then it is only noted, and
    the work ends itself where it can be continued. A second signal, later than a second after the
    first, raises it all the same.

    Attributes:
        signum: the first signal that came; None before.
        delayed: whether the work looks at `signum` itself.
        pass_on: sends a signal to the processes that do the work; false if there are none.
        advice: says how to go on, for a person to read.
        listens: whether the signals are taken over.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all; this process is the one that is asked."""
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
        """Takes the signals over; one that is ignored, as after `nohup`, stays so."""
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in SIGNALS:
            if signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._receive)

    def listen_here(self) -> None:
        """Takes the signals over again, after another library did, or in another process."""
        if os.getpid() != self._process or not self.listens:
            self.reset()
            self.listens = True
        self.listen()

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Takes the signals over for a block of code."""
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
                    if handler is not None:  # of another language
                        signal.signal(signum, handler)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked helper process, which inherited this handler
            if signum == signal.SIGTERM:
                signal.signal(signum, signal.SIG_DFL)
                os.kill(os.getpid(), signum)
            return
        now = time.monotonic()
        again = self.signum is not None and now - self._since > _TWICE
        if self.signum is None:
            self.signum, self._since = signum, now
        if self.pass_on is not None and self.pass_on(signum):
            return
        if self.delayed and not again:
            return
        raise KeyboardInterrupt


STOP_REQUEST = StopRequest()
"""Of this process."""


def started_by_lightning() -> bool:
    """Whether Lightning started this process as a further one of a run on several devices."""
    elsewhere = ("TORCHELASTIC_RUN_ID", "SLURM_LOCALID", "SLURM_PROCID")
    return os.environ.get("LOCAL_RANK", "0") != "0" and not any(
        name in os.environ for name in elsewhere
    )


def wait_for_launcher_exit(seconds: float = 10.0) -> None:
    """Waits until the process that started this one has ended.

    Lightning kills it, whatever it is writing, as soon as one that it started ends with an error.

    Args:
        seconds: to wait, at most.
    """
    parent, until = os.getppid(), time.monotonic() + seconds
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(0.05)
