"""`Source`: a collection of formulas. Sources register by name; see `im2tex components`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.shards import stored_splits
from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.registry import Registry


@dataclass
class PreparationReport:
    """The result of `Source.prepare`.

    Attributes:
        splits: number of samples written, by split.
        lines: messages for the user, such as dropped samples by reason.
    """

    splits: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


class Source(ABC):
    """A named collection of formulas, stored as one file for each split.

    Constructor arguments are the settings `data.source_args`; the data root is an argument of the
    methods.

    Example:
        >>> source = SOURCES.build("grammar", {"size_train": 100})
        >>> source.ensure(Path("data"))
        >>> source.split(Path("data"), "train")[0].latex

    Attributes:
        name: the registered name, and the folder below the data root.
        train: name of the training split.
        validation: name of the validation split.
        tests: names of the splits that `im2tex test` evaluates by default, in this order.
        shared_files: files of other folders below the data root that the splits need, if they
            exist; packed with the splits.
        epoch_splits: builds a training split for each epoch; None if all epochs use the same one.
    """

    name: ClassVar[str]
    train: ClassVar[str] = "train"
    validation: ClassVar[str] = "validation"
    tests: ClassVar[tuple[str, ...]] = ("test",)
    shared_files: ClassVar[tuple[str, ...]] = ()
    epoch_splits: EpochSplitBuilder | None = None

    @abstractmethod
    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """Finds or downloads the raw data, verifies it, and writes the store.

        Args:
            root: the data root; the source writes below `root/name` only.
            raw_data: path or URL of the raw data (`--from`), if the source needs one.
            labels: file of labels that replace the source's own (`--labels`).

        Raises:
            Im2TexError: if data are missing or unreadable.
        """

    def ensure(self, root: Path) -> None:
        """Makes the store before a run, if the source needs no raw data from the user.

        Raises:
            Im2TexError: if the store is missing and the user must prepare it.
        """
        if self.train not in self.available(root):
            raise Im2TexError(
                f"{self.path(root, self.train)} does not exist. Make it with "
                f"`im2tex data prepare {self.name} --from PATH --root {root}`."
            )

    def portable(self, arguments: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The arguments as a checkpoint stores them, valid in any working directory.

        Args:
            arguments: the constructor arguments, as given.

        Returns:
            The arguments; a source whose arguments are paths makes these absolute.
        """
        return None if arguments is None else dict(arguments)

    def path(self, root: Path, split: str) -> Path:
        """The store file of a split."""
        return root / self.name / f"{split}.parquet"

    def available(self, root: Path) -> list[str]:
        """Names of the stored splits, sorted."""
        return stored_splits(root / self.name)

    def split(self, root: Path, name: str) -> Split:
        """Opens a split.

        Raises:
            Im2TexError: if the split does not exist.
        """
        path = self.path(root, name)
        if name not in self.available(root):
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
