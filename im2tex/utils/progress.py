"""Progress bars on the standard error stream, if it is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class ProgressBar:
    """A running bar.

    Args:
        progress: rich's display.
        description: text before the bar.
        total: number of steps; None if unknown.
        done: number of steps done before.
    """

    def __init__(
        self, progress: Progress, description: str, total: int | None, done: int = 0
    ) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, completed=done)

    def advance(self, steps: int = 1) -> None:
        """Adds steps."""
        self._progress.advance(self._task, steps)


@contextmanager
def progress_bar(
    description: str, total: int | None = None, *, done: int = 0, in_bytes: bool = False
) -> Iterator[ProgressBar]:
    """Shows a bar on standard error for a block, if that is a terminal.

    Example:
        >>> with progress_bar("reading", len(files)) as bar:
        ...     for file in files:
        ...         bar.advance()

    Args:
        description: text before the bar.
        total: number of steps; None if unknown.
        done: number of steps done before.
        in_bytes: whether steps are bytes, which shows sizes and speed.
    """
    console = Console(stderr=True)
    counts: tuple[ProgressColumn, ...] = (
        (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    )
    columns = (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield ProgressBar(progress, description, total, done)
