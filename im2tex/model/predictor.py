"""`Predictor`: the inference methods that one recogniser and an ensemble of them share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing, RasterizedFormula
from im2tex.decoders import Hypothesis, SearchOptions, Targets
from im2tex.decoders.ensemble_step import EnsembleMember, search
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import EOS, PAD, UNK, Vocabulary
from im2tex.model.image_input import ImageInput, as_list, prepare_images
from im2tex.model.prediction import ImageWarning, Prediction, image_batches

Failure = TypeVar("Failure")

_WINDOW_BATCHES = 16  # batches whose images are sorted by size together


class Predictor(nn.Module, ABC):
    """Predicts the LaTeX of images.

    Attributes:
        preprocessing: how images are prepared for the encoder.
        unknown_tokens: number of label tokens so far that the vocabulary does not contain.
        training_data: what the weights were trained on, each with its licence.
    """

    preprocessing: Preprocessing
    training_data: Sequence[str] = ()
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

    def predict(
        self,
        images: ImageInput | Sequence[ImageInput],
        beam_size: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.0,
        max_length: int = 200,
        batch_size: int = 16,
        num_workers: int = 0,
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
            num_workers: processes that prepare images during the search; 0 uses this process.

        Returns:
            A `Prediction` for each image, in the order given.

        Raises:
            Im2TexError: if an image cannot be opened or is blank; the message names it.

        Warns:
            ImageWarning: if a prediction is likely to be wrong, such as for several lines.
        """
        inputs = as_list(images)
        options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        prepared = map(_raise_error, prepare_images(inputs, self.preprocessing, num_workers))
        predictions = list(self._predict_windows(prepared, options, batch_size))
        for number, (image, prediction) in enumerate(zip(inputs, predictions, strict=True), 1):
            name = str(image) if isinstance(image, str | Path) else f"image {number}"
            for note in prediction.notes:
                warnings.warn(f"{name}: {note}", ImageWarning, stacklevel=2)
        return predictions

    def predict_each(
        self,
        images: Iterable[ImageInput],
        beam_size: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.0,
        max_length: int = 200,
        batch_size: int = 16,
        num_workers: int = 0,
    ) -> Iterator[Prediction | Im2TexError]:
        """Predicts the LaTeX of any number of images, of which a few are in memory at a time.

        Example:
            >>> for prediction in model.predict_each(paths, num_workers=2):
            ...     print(getattr(prediction, "latex", None))  # None if it cannot be opened

        Args:
            images: as for `predict`, read while predictions are made.
            beam_size: as for `predict`.
            n_best: as for `predict`.
            length_penalty: as for `predict`.
            max_length: as for `predict`.
            batch_size: as for `predict`; with more than 1, batches are formed of similar sizes
                among the next `16 * batch_size` images.
            num_workers: as for `predict`.

        Yields:
            For each image, in the order given, a `Prediction`, or the error that names an image
            that cannot be opened or is blank.
        """
        options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        prepared = prepare_images(images, self.preprocessing, num_workers)
        return self._predict_windows(prepared, options, batch_size)

    def _predict_windows(
        self, prepared: Iterator[RasterizedFormula | Failure], options: SearchOptions, size: int
    ) -> Iterator[Prediction | Failure]:
        """Yields predictions in order; batches are formed within windows of images."""
        while window := list(islice(prepared, size * _WINDOW_BATCHES if size > 1 else 1)):
            yield from self._predict_window(window, options, size)

    @torch.inference_mode()
    def _predict_window(
        self, window: Sequence[RasterizedFormula | Failure], options: SearchOptions, size: int
    ) -> list[Prediction | Failure]:
        vocabulary = self.require_vocabulary()
        readable = [one for one in window if isinstance(one, RasterizedFormula)]
        found: dict[int, Prediction] = {}
        with evaluation_mode(self):
            for indices, batch in image_batches([one.image for one in readable], size):
                hypotheses = self.search(batch.to(self.device), options)
                for index, best in zip(indices, hypotheses, strict=True):
                    notes = readable[index].notes
                    found[index] = Prediction.of(best, vocabulary)._replace(notes=notes)
        order = iter(range(len(readable)))
        return [found[next(order)] if isinstance(one, RasterizedFormula) else one for one in window]

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


def _raise_error(prepared: RasterizedFormula | Im2TexError) -> RasterizedFormula:
    if isinstance(prepared, Im2TexError):
        raise prepared
    return prepared
