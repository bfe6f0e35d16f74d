"""`Predictor`: the inference methods that one recogniser and an ensemble of them share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import Hypothesis, SearchOptions, Targets
from im2tex.decoders.ensemble_step import EnsembleMember, search
from im2tex.latex.vocabulary import EOS, PAD, UNK, Vocabulary
from im2tex.model.prediction import (
    ImageInput,
    ImageWarning,
    Prediction,
    as_list,
    image_batches,
    prepare_image,
)


class Predictor(nn.Module, ABC):
    """Predicts the LaTeX of images.

    Attributes:
        preprocessing: how images are prepared for the encoder.
        unknown_tokens: number of label tokens so far that the vocabulary does not contain.
    """

    preprocessing: Preprocessing
    unknown_tokens: int = 0

    @abstractmethod
    def require_vocabulary(self) -> Vocabulary:
        """The vocabulary.

        Raises:
            Im2TexError: if there is none yet.
        """

    @abstractmethod
    def members(self, batch: Batch) -> list[EnsembleMember]:
        """The decoders that predict together, each with its feature grid of the batch."""

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    def search(self, batch: Batch, options: SearchOptions) -> list[list[Hypothesis]]:
        """Searches for the most probable token sequences.

        Args:
            batch: B images, on the model's device.
            options: beam size and limits.

        Returns:
            For each of the B images its hypotheses, the best first.
        """
        return search(self.members(batch), options)

    def targets(self, batch: Batch) -> Targets:
        """The labels of a batch as token ids; counts unknown tokens in `unknown_tokens`."""
        vocabulary = self.require_vocabulary()
        rows = [[*vocabulary.encode(tokens), EOS] for tokens in batch.tokens]
        self.unknown_tokens += sum(row.count(UNK) for row in rows)
        length = max(map(len, rows))
        tokens = torch.tensor([row + [PAD] * (length - len(row)) for row in rows])
        return Targets(tokens.to(self.device), batch.boxes)  # (B, T)

    @torch.inference_mode()
    def predict(
        self,
        images: ImageInput | Sequence[ImageInput],
        beam_size: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.0,
        max_length: int = 200,
        batch_size: int = 16,
    ) -> list[Prediction]:
        """Predicts the LaTeX of images.

        Example:
            >>> Recognizer.from_pretrained("handwritten_small").predict("formula.png")[0].latex

        Args:
            images: paths of images or InkML files, PIL images, encoded images as bytes or as open
                binary files, or arrays (H, W[, C]); or a single one.
            beam_size: hypotheses kept for each image; 1 is greedy search.
            n_best: hypotheses returned for each image.
            length_penalty: see `SearchOptions`.
            max_length: longest output in tokens.
            batch_size: images in a batch.

        Returns:
            A `Prediction` for each image, in the order given.

        Raises:
            Im2TexError: if an image cannot be opened or is blank; the message names it.

        Warns:
            ImageWarning: if a prediction is likely to be wrong, such as for several lines.
        """
        inputs = as_list(images)
        options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        prepared = [prepare_image(image, self.preprocessing) for image in inputs]
        for number, (image, one) in enumerate(zip(inputs, prepared, strict=True), 1):
            name = str(image) if isinstance(image, str | Path) else f"image {number}"
            for note in one.notes:
                warnings.warn(f"{name}: {note}", ImageWarning, stacklevel=3)
        vocabulary = self.require_vocabulary()
        predictions: dict[int, Prediction] = {}
        with evaluation_mode(self):
            for indices, batch in image_batches(
                [image_input.image for image_input in prepared], batch_size
            ):
                found = self.search(batch.to(self.device), options)
                for index, hypotheses in zip(indices, found, strict=True):
                    prediction = Prediction.of(hypotheses, vocabulary)
                    predictions[index] = prediction._replace(notes=prepared[index].notes)
        return [predictions[i] for i in range(len(inputs))]

    @abstractmethod
    def save_pretrained(self, folder: str | Path, **stored: Any) -> int:
        """Writes settings and weights, in half precision, for `Recognizer.from_pretrained`.

        Args:
            folder: where to write it.
            **stored: further keywords of `pretrained.write_model`, such as `data`.

        Returns:
            The size of all weights in bytes.

        Raises:
            Im2TexError: if a weight exceeds half precision, or the folder cannot be written.
        """


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode within a block; afterwards each submodule is in its mode of before."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
