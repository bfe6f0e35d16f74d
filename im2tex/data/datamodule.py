"""`FormulaDataModule`: a source, its splits, and loaders of batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from im2tex.data.augmentation import Variation
from im2tex.data.bucketing import Budget
from im2tex.data.dataset import Batch, FormulaDataset
from im2tex.data.fixed_sizes import Buckets
from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.samplers import EvaluationSampler, TrainingSampler
from im2tex.data.source import SOURCES, Source
from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.recombination.recombine import SwapBank
from im2tex.registry import check_arguments


@dataclass
class Kept:
    """What became of a split's samples.

    Attributes:
        total: samples in the store.
        kept: samples used.
        dropped: how many were left out, by reason; training only.
        limited: samples made smaller to fit the limits; evaluation only.
        padding: pixels of the padded batches for each pixel of their images.
    """

    total: int
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    limited: int = 0
    padding: float = float("nan")


class ResumableLoader(DataLoader[Batch]):
    """A loader that a run can be resumed in the middle of.

    The position is derived from the trainer's own progress when the sampler starts, so there is
    no state to keep; the last two methods tell Lightning that resuming is safe.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Starts when the first batch is asked for.

        Lightning makes the iterator early, a schedule that wants the length of an epoch even
        before a checkpoint's counters are restored, and workers would fetch from the start.
        """
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


class FormulaDataModule(LightningDataModule):
    """Formulas of one source, in batches.

    Args:
        source: registered name of the source.
        source_args: its arguments.
        root: folder of the prepared stores.
        train_split: split to train on; the source's own if not given.
        validation_split: split held out of training; the source's own if not given.
        test_splits: split or splits to test on; the source's own if not given.
        predict_splits: split or splits to predict; those of `test_splits` if not given.
        batch_size: most samples of a training batch, on each device.
        batch_pixels: most pixels of a training batch, padding included.
        batch_tokens: most tokens of a training batch, padding included.
        buckets: sizes that images are padded to, as `WIDTHxHEIGHT`, or `paper` for the paper's;
            a batch then holds one of them only. Without them, batches are grouped by size and
            padded to their largest image.
        eval_factor: how many times larger batches are where no gradient is needed.
        max_length: training labels longer than this many tokens are dropped and counted.
        train_samples: train on this many samples only, drawn with `seed`; all if not given.
        augmentation: arguments of `ink.augment.Augmentation`; none if not given.
        swap_share: share of training samples in which symbols are exchanged for other writers'.
        swap_probability: in those, the probability that a symbol is exchanged.
        crop_share: share of training samples cut down to a sub-formula.
        workers: loader processes.
        seed: of order, augmentation, recombination and dropout; that of `seed_everything` if not
            given.

    Raises:
        Im2TexError: for unknown names or arguments that do not fit.
    """

    def __init__(
        self,
        source: str = "grammar",
        source_args: dict[str, Any] | None = None,
        root: str = "data",
        train_split: str | None = None,
        validation_split: str | None = None,
        test_splits: list[str] | str | None = None,
        predict_splits: list[str] | str | None = None,
        batch_size: int = 32,
        batch_pixels: int = 600_000,
        batch_tokens: int = 2_000,
        buckets: list[str] | str | None = None,
        eval_factor: float = 2.0,
        max_length: int = 200,
        train_samples: int | None = None,
        augmentation: dict[str, Any] | None = None,
        swap_share: float = 0.0,
        swap_probability: float = 0.5,
        crop_share: float = 0.0,
        workers: int = 1,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if seed is None:
            # Kept as a number, so that a run goes on with its own from its checkpoint alone.
            self.hparams["seed"] = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        self.source: Source = SOURCES.build(source, source_args)
        self.hparams["source_args"] = self.source.portable(source_args)
        self.root = Path(root)
        self._check()
        if buckets is not None:
            Buckets(buckets)  # said now if it is wrong, and made when the stride is known
        self.budget = Budget(batch_size, batch_pixels, batch_tokens)
        self.augmentation = (
            Augmentation(**check_arguments("augmentation", Augmentation, augmentation))
            if augmentation is not None
            else None
        )
        self.kept: dict[str, Kept] = {}
        self._splits: dict[str, Split] = {}

    def _check(self) -> None:
        least = {"workers": 0, "seed": 0, "swap_share": 0, "swap_probability": 0, "crop_share": 0}
        least |= dict.fromkeys(("batch_size", "batch_pixels", "batch_tokens", "max_length"), 1)
        least |= {"eval_factor": 1, "train_samples": 1}
        for name, bound in least.items():
            value = self.hparams[name]
            if value is not None and value < bound:
                raise Im2TexError(f"data.{name} is at least {bound}, got {value}.")
        for name in ("swap_share", "swap_probability", "crop_share"):
            if self.hparams[name] > 1:
                raise Im2TexError(f"data.{name} is a share, at most 1, got {self.hparams[name]}.")

    @property
    def train_split(self) -> str:
        """Name of the split to train on."""
        return str(self.hparams["train_split"] or self.source.train)

    @property
    def validation_split(self) -> str:
        """Name of the split held out of training."""
        return str(self.hparams["validation_split"] or self.source.validation)

    @property
    def test_splits(self) -> list[str]:
        """Names of the splits to test on."""
        return _names(self.hparams["test_splits"]) or list(self.source.tests)

    @property
    def predict_splits(self) -> list[str]:
        """Names of the splits to predict."""
        return _names(self.hparams["predict_splits"]) or self.test_splits

    def prepare_data(self) -> None:
        """Makes the store where that needs nothing from the person; on one process only."""
        self.source.ensure(self.root)

    def split(self, name: str) -> Split:
        """Opens a split, once.

        Raises:
            Im2TexError: if there is none of that name, or it is empty.
        """
        if name not in self._splits:
            split = self.source.split(self.root, name)
            if not len(split):
                raise Im2TexError(f"{split.path}: the split '{name}' holds no sample.")
            self._splits[name] = split
        return self._splits[name]

    def training_labels(self) -> Iterator[Sequence[str]]:
        """The labels that a fresh model's vocabulary is made of."""
        return self.split(self.train_split).tokens()

    def setup(self, stage: str) -> None:
        """Has training batches asked for each epoch where each has samples of its own."""
        if stage == "fit" and self._epoch_splits is not None and self.trainer is not None:
            trainer: Any = self.trainer
            trainer.reload_dataloaders_every_n_epochs = 1

    def teardown(self, stage: str) -> None:
        """Ends what is made ahead."""
        if self._epoch_splits is not None:
            self._epoch_splits.close()

    @property
    def _epoch_splits(self) -> EpochSplitBuilder | None:
        return self.source.epoch_splits if self.train_split == self.source.train else None

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the training split, varied and shuffled anew each epoch."""
        name = self.train_split
        epoch, split = self._training_split()
        preprocessing = self._preprocessing()
        buckets = self._buckets(preprocessing)
        dataset = FormulaDataset(split, preprocessing, self._variation(split), buckets)
        numbers = self._keep(name, dataset)
        rank, ranks = self._ranks()
        sampler = TrainingSampler(
            dataset,
            numbers,
            self.budget,
            seed=self.hparams["seed"],
            rank=rank,
            ranks=ranks,
            parallel=self.hparams["workers"] > 0 and self._epoch_splits is None,
            position=self._position,
            buckets=buckets,
            first=epoch,
        )
        sampler.plan(epoch)
        self.kept[name].padding = sampler.padding_ratio
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the split held out of training."""
        return self._evaluation(self.validation_split)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """A loader for each test split."""
        return [self._evaluation(name) for name in self.test_splits]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """A loader for each split to predict."""
        return [self._evaluation(name) for name in self.predict_splits]

    def _training_split(self) -> tuple[int, Split]:
        """The epoch that the number of batches is of, and its samples, once they are there."""
        builder = self._epoch_splits
        if builder is None:
            return 0, self.split(self.train_split)
        epoch, _ = self._position()
        if self._ranks()[0] == 0:
            last = None if self.trainer is None else self.trainer.max_epochs
            more = last is None or last < 0 or epoch + 1 < last
            builder.ensure_ready(self.root, epoch, more=more)
        if self.trainer is not None:
            self.trainer.strategy.barrier("samples of an epoch")
        return epoch, self.source.split(self.root, builder.name(epoch))

    def _evaluation(self, name: str) -> DataLoader[Batch]:
        split = self.split(name)
        preprocessing = self._preprocessing()
        buckets = self._buckets(preprocessing)
        dataset = FormulaDataset(split, preprocessing, buckets=buckets)
        sizes = np.array([self._size(dataset, i) for i in range(len(split))])
        limits = (preprocessing.max_height, preprocessing.max_width)
        limited = int((sizes[:, :2] > limits).any(1).sum())
        sizes[:, :2] = np.minimum(sizes[:, :2], limits)
        factor = self.hparams["eval_factor"]
        budget = Budget(
            int(self.budget.samples * factor), int(self.budget.pixels * factor), 1_000_000
        )
        rank, ranks = self._ranks()
        sampler = EvaluationSampler(sizes, budget, rank=rank, ranks=ranks, buckets=buckets)
        self.kept[name] = Kept(
            len(split), len(split), limited=limited, padding=sampler.padding_ratio
        )
        return self._loader(dataset, sampler)

    def _loader(
        self, dataset: FormulaDataset, sampler: TrainingSampler | EvaluationSampler
    ) -> DataLoader[Batch]:
        workers = int(self.hparams["workers"])
        device = "cpu" if self.trainer is None else self.trainer.strategy.root_device.type
        return ResumableLoader(
            dataset,
            sampler=sampler,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0 and self._epoch_splits is None,
            prefetch_factor=4 if workers else None,
            pin_memory=device == "cuda",
        )

    def _keep(self, name: str, dataset: FormulaDataset) -> list[int]:
        """Numbers of the samples to train on; the rest are counted by reason."""
        kept = self.kept[name] = Kept(len(dataset))
        numbers = []
        for number in range(len(dataset)):
            reason = self._unfit(dataset, number)
            if reason is None:
                numbers.append(number)
            else:
                kept.dropped[reason] = kept.dropped.get(reason, 0) + 1
        wanted = self.hparams["train_samples"]
        if wanted is not None and wanted < len(numbers):
            rng = np.random.default_rng([self.hparams["seed"], 2])
            kept.dropped["beyond train_samples"] = len(numbers) - wanted
            numbers = sorted(rng.permutation(numbers)[:wanted].tolist())
        kept.kept = len(numbers)
        if not numbers:
            reasons = ", ".join(f"{n} {reason}" for reason, n in kept.dropped.items())
            raise Im2TexError(
                f"nothing is left to train on in split '{name}' of source '{self.source.name}' "
                f"({kept.total} samples): {reasons}. Raise data.max_length or "
                "model.preprocessing's limits, or prepare the data again."
            )
        return numbers

    @staticmethod
    def _size(dataset: FormulaDataset, number: int) -> tuple[int, int, int]:
        """Size of a sample to evaluate; one that cannot be drawn stays, as a blank image."""
        try:
            return dataset.plain_size(number)
        except Im2TexError:
            return (*dataset.preprocessing.stride, 0)

    def _unfit(self, dataset: FormulaDataset, number: int) -> str | None:
        """Why a sample cannot be trained on, or None."""
        try:
            height, width, length = dataset.plain_size(number)
        except Im2TexError:
            return "unreadable"
        if length == 0:
            return "without label"
        if length > self.hparams["max_length"]:
            return f"longer than {self.hparams['max_length']} tokens"
        if not dataset.preprocessing.fits(height, width):
            return "larger than the image limits"
        return None

    def _variation(self, split: Split) -> Variation:
        hparams = self.hparams
        bank = SwapBank.from_samples(split) if hparams["swap_share"] else None
        return Variation(
            hparams["seed"],
            self.augmentation,
            bank,
            hparams["swap_share"],
            hparams["swap_probability"],
            hparams["crop_share"],
        )

    def _preprocessing(self) -> Preprocessing:
        """The model's."""
        if self.trainer is None:
            raise Im2TexError(
                "FormulaDataModule draws with the model's preprocessing: use it with a Trainer."
            )
        preprocessing = getattr(self.trainer.lightning_module, "preprocessing", None)
        if not isinstance(preprocessing, Preprocessing):
            raise Im2TexError(
                "FormulaDataModule needs a model with a `preprocessing`, such as Im2Tex; got "
                f"{type(self.trainer.lightning_module).__name__}."
            )
        return preprocessing

    def _buckets(self, preprocessing: Preprocessing) -> Buckets | None:
        sizes = self.hparams["buckets"]
        return None if sizes is None else Buckets(sizes, preprocessing.stride)

    def _ranks(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _position(self) -> tuple[int, int]:
        """The epoch that goes on, and how many of its batches were consumed before.

        Asked when the first batch is fetched. By then Lightning's counters are in order, also in
        a resumed run.
        """
        if self.trainer is None:
            return 0, 0
        loop: Any = self.trainer.fit_loop
        return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready


def _names(given: Sequence[str] | str | None) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())
