"""`Source`: where formulas come from. Sources register by name; see `im2tex components`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.registry import Registry


@dataclass
class PreparationReport:
    """What a preparation did, for a person to read.

    Attributes:
        splits: number of samples written, by split.
        lines: further facts, a line each: what was left out and why, how labels agree, …
    """

    splits: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


class Source(ABC):
    """A named collection of formulas, kept as one store file a split.

    Constructor arguments are the source's settings (`data.source_args`); where things lie is
    said to the methods.

    Attributes:
        name: the registered name, also the folder below the data root.
        train: name of the training split.
        validation: name of the split held out of training.
        tests: names of the test splits that a plain `test` runs on, in that order.
        epoch_splits: builds a training split for each epoch; None if all epochs use the same one.
    """

    name: ClassVar[str]
    train: ClassVar[str] = "train"
    validation: ClassVar[str] = "validation"
    tests: ClassVar[tuple[str, ...]] = ("test",)
    epoch_splits: EpochSplitBuilder | None = None

    @abstractmethod
    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Finds or downloads the data, verifies it, and writes the store.

        Args:
            root: the data root; this source writes below `root/name` only.
            raw_data: a path or URL of the raw data (`--from`), where the source needs one.
            labels: a file of labels to use instead of the source's own (`--labels`).

        Raises:
            Im2TexError: if something is missing or unreadable, naming it and the way out.
        """

    def ensure(self, root: Path) -> None:
        """Called before a run: makes the store where that needs nothing from the person.

        Raises:
            Im2TexError: if the store is not there and only the person can provide it.
        """
        if not self.path(root, self.train).exists():
            raise Im2TexError(
                f"{self.path(root, self.train)} does not exist. Make it with "
                f"`im2tex data prepare {self.name} --from PATH --root {root}`."
            )

    def portable(self, arguments: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The settings as a run keeps them, for a later command in another working directory.

        Args:
            arguments: what this source was made of, as given.

        Returns:
            The same; sources whose settings name files make the paths absolute.
        """
        return None if arguments is None else dict(arguments)

    def path(self, root: Path, split: str) -> Path:
        """The store file of a split."""
        return root / self.name / f"{split}.parquet"

    def available(self, root: Path) -> list[str]:
        """Names of the splits that lie under `root`, sorted."""
        return sorted(path.stem for path in (root / self.name).glob("*.parquet"))

    def split(self, root: Path, name: str) -> Split:
        """Opens a split.

        Raises:
            Im2TexError: if there is none of that name; the message lists those there are.
        """
        path = self.path(root, name)
        if not path.exists():
            known = self.available(root)
            raise Im2TexError(
                f"source '{self.name}' has no split '{name}' under {root}. "
                + (f"There are: {', '.join(known)}." if known else "It has not been prepared.")
            )
        return Split(path)


SOURCES: Registry[Source] = Registry(
    "source",
    group="im2tex.sources",
    builtin=(
        "im2tex.data.sources.crohme.source",
        "im2tex.data.sources.grammar",
        "im2tex.data.sources.folder.source",
        "im2tex.data.sources.handwriting",
        "im2tex.data.sources.arxiv",
        "im2tex.data.sources.im2latex.source",
    ),
)
