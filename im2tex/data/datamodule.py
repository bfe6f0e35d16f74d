"""`FormulaDataModule`: the data loaders of a source."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.bucketing import BatchLimits
from im2tex.data.dataset import Batch, FormulaDataset
from im2tex.data.fixed_sizes import Buckets
from im2tex.data.pack import Pack, is_pack
from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.samplers import PLAN_VERSION, EvaluationSampler, TrainingSampler
from im2tex.data.selection import SplitStatistics, select_training_samples
from im2tex.data.source import SOURCES, Source
from im2tex.data.store import Split
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.recombination.recombine import SwapBank
from im2tex.registry import check_arguments
from im2tex.utils.checks import check_settings
from im2tex.utils.wording import counted

_MINIMUM = {
    "batch_size": 1,
    "batch_pixels": 1,
    "batch_tokens": 1,
    "eval_batch_factor": 1,
    "max_length": 1,
    "train_samples": 1,
    "num_workers": 0,
    "seed": 0,
}
_PROBABILITIES = ("swap_fraction", "swap_probability", "subformula_crop_prob")


class ResumableDataLoader(DataLoader[Batch]):
    """A DataLoader for mid-epoch resume.

    The sampler derives its position from the trainer's progress. The loader therefore has no state
    of its own; `state_dict` and `load_state_dict` exist because Lightning checks for them.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Creates the worker processes when the first batch is requested.

        Lightning may create the iterator before it restores a checkpoint's progress, and workers
        would then load the first batches of the epoch.
        """
        yield from super().__iter__()

    def state_dict(self) -> dict[str, Any]:
        """Returns an empty state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing."""


class FormulaDataModule(LightningDataModule):
    """Batches of the formulas of one source.

    The model's preprocessing makes the images, so the loaders need a trainer with an `Im2Tex`.

    Example:
        >>> data = FormulaDataModule(source="grammar", batch_size=16)
        >>> Trainer(max_epochs=1).fit(Im2Tex(), data)

    Args:
        source: registered name of the source.
        source_args: arguments of the source.
        root: folder of the prepared stores, or a file of `im2tex data pack`, which is unpacked to
            the user's cache folder.
        train_split: split to train on; the source's own if not given.
        validation_split: split to validate on; the source's own if not given.
        test_splits: split or splits to test on; the source's own if not given.
        predict_splits: split or splits to predict; those of `test_splits` if not given.
        batch_size: largest number of samples in a training batch, per device.
        batch_pixels: largest number of pixels in a training batch, padding included.
        batch_tokens: largest number of tokens in a training batch, padding included.
        buckets: sizes that images are padded to, as `WIDTHxHEIGHT`, or `paper` for the paper's;
            a batch then has images of one size. Without buckets, batches are grouped by size and
            padded to their largest image.
        eval_batch_factor: factor on `batch_size` and `batch_pixels` in evaluation.
        max_length: training samples with more tokens are dropped, and counted.
        train_samples: number of training samples, drawn with `seed`; all if not given.
        augmentation: arguments of `ink.augment.Augmentation`; no augmentation if not given.
        swap_fraction: fraction of training samples in which symbols are replaced by those of
            other writers.
        swap_probability: probability that a symbol of such a sample is replaced.
        subformula_crop_prob: probability that a training sample is cropped to a sub-formula.
        num_workers: number of loader processes.
        seed: seed of order, augmentation and dropout; that of `seed_everything` if not given.

    Attributes:
        statistics: counts of the samples of each loaded split.

    Raises:
        Im2TexError: for unknown names, or arguments out of range.
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
        eval_batch_factor: float = 2.0,
        max_length: int = 200,
        train_samples: int | None = None,
        augmentation: dict[str, Any] | None = None,
        swap_fraction: float = 0.0,
        swap_probability: float = 0.5,
        subformula_crop_prob: float = 0.0,
        num_workers: int = 1,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if seed is None:
            # Stored as a number, so that a run resumes with its seed from the checkpoint alone.
            self.hparams["seed"] = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        self.source: Source = SOURCES.build(source, source_args)
        self.hparams["source_args"] = self.source.portable(source_args)
        self._pack = Pack(Path(root)) if is_pack(Path(root)) else None
        self.root = Path(root) if self._pack is None else self._pack.folder
        _check_ranges(self.hparams)
        if buckets is not None:
            Buckets(buckets)  # raises for a wrong value before data are read
        self.limits = BatchLimits(batch_size, batch_pixels, batch_tokens)
        self.augmentation = (
            Augmentation(**check_arguments("augmentation", Augmentation, augmentation))
            if augmentation is not None
            else None
        )
        self.statistics: dict[str, SplitStatistics] = {}
        self._splits: dict[str, Split] = {}
        self._plan_version = 0  # of the checkpoint that a run resumes from
        self._first_epoch: int | None = None  # of a run

    @property
    def train_split(self) -> str:
        """Name of the training split."""
        return str(self.hparams["train_split"] or self.source.train)

    @property
    def validation_split(self) -> str:
        """Name of the validation split."""
        return str(self.hparams["validation_split"] or self.source.validation)

    @property
    def test_splits(self) -> list[str]:
        """Names of the test splits."""
        return _as_list(self.hparams["test_splits"]) or list(self.source.tests)

    @property
    def predict_splits(self) -> list[str]:
        """Names of the splits to predict."""
        return _as_list(self.hparams["predict_splits"]) or self.test_splits

    def split(self, name: str) -> Split:
        """A split; opened once.

        Raises:
            Im2TexError: if the split does not exist or is empty.
        """
        if name not in self._splits:
            split = self.source.split(self.root, name)
            if not len(split):
                raise Im2TexError(f"{split.path}: the split '{name}' holds no sample.")
            self._splits[name] = split
        return self._splits[name]

    def training_token_counts(self) -> Counter[str]:
        """Occurrences of the tokens from which a new model's vocabulary is made."""
        return self.split(self.train_split).token_counts()

    # ---------------------------------------------------------------- hooks

    def prepare_data(self) -> None:
        """Unpacks a pack, and makes the store if the source can; called on one process."""
        if self._pack is not None:
            self._pack.unpack()
        self.source.ensure(self.root)
        needed = [self.train_split, self.validation_split, *self.test_splits, *self.predict_splits]
        for name in set(needed).intersection(self.source.available(self.root)):
            self.split(name).build_cache()

    def setup(self, stage: str) -> None:
        """Makes Lightning reload the training batches in each epoch if the source needs it."""
        if stage == "fit" and self._epoch_splits is not None and self.trainer is not None:
            trainer: Any = self.trainer
            trainer.reload_dataloaders_every_n_epochs = 1

    def teardown(self, stage: str) -> None:
        """Stops the process that builds the split of the next epoch."""
        if self._epoch_splits is not None:
            self._epoch_splits.close()

    def state_dict(self) -> dict[str, Any]:
        """The version of the batches, for `load_state_dict`."""
        return {"plan_version": PLAN_VERSION}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Determines whether training can resume within an epoch."""
        self._plan_version = state_dict.get("plan_version", 0)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of the training split, augmented and shuffled for each epoch."""
        name, seed = self.train_split, self.hparams["seed"]
        epoch, split = self._training_split()
        preprocessing = self._preprocessing()
        buckets = self._buckets(preprocessing)
        augmentation = TrainingAugmentation(
            seed,
            self.augmentation,
            SwapBank.from_samples(split) if self.hparams["swap_fraction"] else None,
            **{option: self.hparams[option] for option in _PROBABILITIES},
        )
        dataset = FormulaDataset(split, preprocessing, augmentation, buckets)
        indices, statistics = select_training_samples(
            dataset.planner, self.hparams["max_length"], self.hparams["train_samples"], seed
        )
        if not len(indices):
            reasons = ", ".join(f"{n} {reason}" for reason, n in statistics.dropped.items())
            raise Im2TexError(
                f"nothing is left to train on in split '{name}' of source '{self.source.name}' "
                f"({counted(statistics.total, 'sample')}): {reasons}. Raise data.max_length or "
                "model.preprocessing's limits, or prepare the data again."
            )
        sampler = TrainingSampler(
            dataset.planner,
            indices,
            self.limits,
            seed=seed,
            rank=self._rank,
            world_size=self._world_size,
            position=self._position,
            buckets=buckets,
            first_epoch=epoch,
        )
        statistics.padding_ratio = sampler.padding_ratio
        self.statistics[name] = statistics
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the validation split."""
        return self._evaluation_loader(self.validation_split)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """A loader for each test split."""
        return [self._evaluation_loader(name) for name in self.test_splits]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """A loader for each split to predict."""
        return [self._evaluation_loader(name) for name in self.predict_splits]

    # ---------------------------------------------------------------- loaders

    @property
    def _epoch_splits(self) -> EpochSplitBuilder | None:
        return self.source.epoch_splits if self.train_split == self.source.train else None

    def _training_split(self) -> tuple[int, Split]:
        """The epoch whose sizes determine the number of batches, and its samples."""
        builder = self._epoch_splits
        if builder is None:
            return 0, self.split(self.train_split)
        epoch, _ = self._position()
        if self._rank == 0:
            epochs = None if self.trainer is None else self.trainer.max_epochs
            more = epochs is None or epochs < 0 or epoch + 1 < epochs
            builder.ensure_ready(self.root, epoch, more)
        if self.trainer is not None:
            self.trainer.strategy.barrier("samples of an epoch")
        return epoch, self.source.split(self.root, builder.name(epoch))

    def _evaluation_loader(self, name: str) -> DataLoader[Batch]:
        split = self.split(name)
        preprocessing = self._preprocessing()
        buckets = self._buckets(preprocessing)
        dataset = FormulaDataset(split, preprocessing, buckets=buckets)
        sizes = dataset.planner.sizes(np.arange(len(split)), 0)
        downscaled = int(dataset.planner.exceed_limits().sum())
        factor = self.hparams["eval_batch_factor"]
        limits = BatchLimits(
            int(self.limits.samples * factor), int(self.limits.pixels * factor), tokens=1_000_000
        )
        sampler = EvaluationSampler(
            sizes, limits, rank=self._rank, world_size=self._world_size, buckets=buckets
        )
        self.statistics[name] = SplitStatistics(
            total=len(split),
            used=len(split),
            downscaled=downscaled,
            padding_ratio=sampler.padding_ratio,
        )
        return self._loader(dataset, sampler)

    def _loader(
        self, dataset: FormulaDataset, sampler: TrainingSampler | EvaluationSampler
    ) -> DataLoader[Batch]:
        workers = int(self.hparams["num_workers"])
        device = "cpu" if self.trainer is None else self.trainer.strategy.root_device.type
        return ResumableDataLoader(
            dataset,
            sampler=sampler,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0 and self._epoch_splits is None,
            prefetch_factor=4 if workers else None,
            pin_memory=device == "cuda",
        )

    def _preprocessing(self) -> Preprocessing:
        """The model's preprocessing.

        Raises:
            Im2TexError: if there is no trainer, or its model has none.
        """
        if self.trainer is None:
            raise Im2TexError(
                "FormulaDataModule needs the model's preprocessing: use it with a Trainer."
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

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world_size(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _position(self) -> tuple[int, int]:
        """The current epoch, and its number of consumed batches.

        Called when the first batch is requested: Lightning has restored its progress by then.
        """
        if self.trainer is None:
            return 0, 0
        loop: Any = self.trainer.fit_loop
        epoch, consumed = (
            loop.epoch_progress.current.processed,
            loop.epoch_loop.batch_progress.current.ready,
        )
        if self._first_epoch is None:
            self._first_epoch = epoch
        resumed = self.trainer.ckpt_path is not None and epoch == self._first_epoch
        if resumed and consumed and self._plan_version != PLAN_VERSION:
            rank_zero_warn(
                f"the checkpoint was written in the middle of epoch {epoch} by a version of im2tex "
                "with other batches: training resumes at the next epoch."
            )
            return epoch, sys.maxsize
        return epoch, consumed


def _check_ranges(hparams: Any) -> None:
    """Checks the numbers of a data module.

    Raises:
        Im2TexError: if one is out of range.
    """
    for name, minimum in _MINIMUM.items():
        check_settings("data.", minimum, **{name: hparams[name]})
    for name in _PROBABILITIES:
        if not 0 <= hparams[name] <= 1:
            raise Im2TexError(f"data.{name} must be in [0, 1], got {hparams[name]}.")


def _as_list(names: Sequence[str] | str | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())
