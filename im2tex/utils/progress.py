"""A progress bar where somebody is looking, and nothing elsewhere."""

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
    """One running bar.

    Args:
        progress: what draws it.
        description: the words before it.
        total: how far it goes, or None if that is not known.
        done: how far it is already.
    """

    def __init__(
        self, progress: Progress, description: str, total: int | None, done: int = 0
    ) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, completed=done)

    def advance(self, steps: int = 1) -> None:
        """Moves on by so many steps."""
        self._progress.advance(self._task, steps)


@contextmanager
def progress_bar(
    description: str, total: int | None = None, *, done: int = 0, in_bytes: bool = False
) -> Iterator[ProgressBar]:
    """A bar on the error stream, gone when it ends; invisible where that is no terminal.

    Args:
        description: the words before it.
        total: how far it goes, or None if that is not known.
        done: how far it is already.
        in_bytes: steps are bytes: sizes and speed are shown.
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
