"""`Transcriber`: what a trained network is for: reading, alone or in company, and being tested."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from im2tex.data.dataset import Batch
from im2tex.decoders import Hypothesis, SearchOptions
from im2tex.decoders.ensemble_step import likelihood, search
from im2tex.evaluation.split_evaluator import SplitTest
from im2tex.model.checkpoint_contents import rebuilt
from im2tex.model.ensemble import Company
from im2tex.model.network import Network
from im2tex.model.prediction import Picture, PictureWarning, Reading, batches, drawn, listed, shown
from im2tex.model.pretrained import locate, member, read_model, write_model


class Transcriber(Network):
    """Pictures read: for a test, for a prediction, for whoever asks; weights fetched and given on.

    Attributes:
        company: whom it reads with, and in what sizes they see pictures.
        tests: what the tests of a run have found so far, by split.
    """

    company: Company
    tests: dict[str, SplitTest]

    # ---------------------------------------------------------------- batches

    def forward(self, batch: Batch, options: SearchOptions) -> list[list[Hypothesis]]:
        """Reads a batch, in company if there is any: the best hypotheses of each image."""
        return search(self.company.parts(self, batch), options)

    @property
    def search_signature(self) -> str:
        """How it reads, in words, for results to be compared by."""
        options = str(self.search_options)
        return options if self.company.alone else f"{options[:-1]}, {self.company})"

    def on_test_start(self) -> None:
        """Fresh metrics and records for each split to test."""
        names = self.trainer.datamodule.test_splits  # type: ignore[attr-defined]
        self.tests = {name: SplitTest.start(name, self.device) for name in names}
        self._tested = list(names)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """One batch of a test: likelihood of the labels, and reading with the beam."""
        parts = self.company.parts(self, batch)
        logs = likelihood(parts, self.targets(batch))
        found = search(parts, self.search_options)
        self.tests[self._tested[dataloader_idx]].add(batch, found, self.words, logs)

    def on_test_epoch_end(self) -> None:
        """Logs the scores of every split, as `SPLIT/NAME`; `test/NAME` for a split named test."""
        for name, test in self.tests.items():
            self.log_dict({f"{name}/{metric}": value for metric, value in test.compute().items()})

    def predict_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> list[tuple[str, Reading | None]]:
        """Readings of a batch by key; None for a picture that could not be drawn."""
        found = self(batch, self.search_options)
        return [
            (key, None if row in batch.failed else Reading.of(found[row], self.words))
            for row, key in enumerate(batch.keys)
        ]

    # ---------------------------------------------------------------- pictures

    @torch.inference_mode()
    def transcribe(
        self,
        images: Picture | Sequence[Picture],
        beam_size: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.0,
        max_length: int = 200,
        batch_size: int = 16,
    ) -> list[Reading]:
        """Reads pictures.

        Args:
            images: paths of pictures or InkML files, PIL images, encoded pictures as bytes or as
                open binary files, or arrays (H, W[, C]); or a single one.
            beam_size: hypotheses kept alive an image; 1 is greedy.
            n_best: readings returned an image.
            length_penalty: see `SearchOptions`.
            max_length: longest output in tokens.
            batch_size: images read at a time.

        Returns:
            A `Reading` an image, in the order given.

        Raises:
            Im2TexError: if a picture cannot be opened or shows nothing, naming it.

        Warns:
            PictureWarning: if a reading is likely to be wrong, such as for several lines.
        """
        pictures = listed(images)
        options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        seen = [shown(picture, self.preprocessing) for picture in pictures]
        for number, (picture, one) in enumerate(zip(pictures, seen, strict=True), 1):
            name = str(picture) if isinstance(picture, str | Path) else f"picture {number}"
            for note in one.notes:
                warnings.warn(f"{name}: {note}", PictureWarning, stacklevel=3)
        readings: dict[int, Reading] = {}
        training = self.training
        self.eval()
        try:
            for numbers, batch in batches([one.image for one in seen], batch_size):
                found = self(self.transfer_batch_to_device(batch, self.device, 0), options)
                for number, hypotheses in zip(numbers, found, strict=True):
                    reading = Reading.of(hypotheses, self.words)
                    readings[number] = reading._replace(notes=seen[number].notes)
        finally:
            self.train(training)
        return [readings[i] for i in range(len(pictures))]

    def drawn(self, picture: Picture) -> np.ndarray:
        """A picture as the model sees it: see `im2tex.model.prediction.drawn`."""
        return drawn(picture, self.preprocessing)

    # ---------------------------------------------------------------- weights

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> Self:
        """A trained model, ready to read.

        Args:
            name_or_path: one that comes with the package (`im2tex.model.pretrained.names()`), or a
                folder that `save_pretrained` or `im2tex export` wrote.

        Raises:
            Im2TexError: if there is none, or a file of it cannot be read.
        """
        folder = locate(name_or_path)
        settings, state, reading = read_model(folder)
        others = [str(member(folder, k)) for k in range(1, 1 + reading.get("members", 0))]
        use = {"ensemble": others, "views": reading.get("views")}
        model = rebuilt(cls, settings, state, str(folder), use=use)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> int:
        """Writes settings and weights, in half precision, for `from_pretrained`.

        With those of the models that it reads with, each in a folder below.

        Returns:
            The size of all weights in bytes.

        Raises:
            Im2TexError: if a weight is beyond half precision, or the folder cannot be written.
        """
        weights = {name for name, _ in self.named_parameters()}
        settings = dict(self.hparams) | {"vocabulary": list(self.words.ordinary)}
        reading: dict[str, Any] = {}
        if not self.company.alone:
            reading = {"views": list(self.company.views), "members": len(self.company.paths)}
        size = write_model(Path(folder), settings, self.state_dict(), weights, reading)
        others = self.company.others(self)
        return size + sum(
            one.save_pretrained(member(Path(folder), k)) for k, one in enumerate(others, 1)
        )
